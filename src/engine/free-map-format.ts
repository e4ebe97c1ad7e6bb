/** Layout of `free-<n>.map` (spec/formats/free-map.md): constants and shapes, no behaviour. Little-endian. */
import { fromText } from '../base/bytes.ts';
import type { FileNumber, Generation } from './types.ts';

/** First bytes of the file. */
export const FREE_MAP_MAGIC = fromText('LDB-FREE');
/** Version of the layout. */
export const FREE_MAP_FORMAT_VERSION = 1;
/**
 * magic 8 · crc u32 · format version u16 · zero u16 · compatible u32 · incompatible u32 · database id 16
 * · file number u32 · generation u48 · block count u32 · used count u32, then one bit a block, 1 for used, the lowest
 * bit of each byte first, spare bits zero. The CRC covers everything behind it.
 */
export const FREE_MAP_HEADER_BYTES = 58;
/** Where the bytes under the CRC begin. */
export const FREE_MAP_CHECKED_FROM = 12;

/** Which map a file has to be. */
export interface FreeMapIdentity {
  readonly databaseId: Uint8Array;
  /** CRC-32 of the database id. */
  readonly databaseSeed: number;
  readonly fileNumber: FileNumber;
  readonly generation: Generation;
}
