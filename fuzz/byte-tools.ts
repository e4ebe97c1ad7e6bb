/**
 * Reading, writing and checksums for harness and oracles of the fuzz targets, by code that the engine does not use: a
 * `DataView`, zlib's CRC and `Buffer.compare`.
 */
import { crc32 } from 'node:zlib';

/** The store to which every input belongs. */
export const DATABASE_ID: Uint8Array = Uint8Array.from({ length: 16 }, (_, i) => 16 + i);
/** Checksum of {@link DATABASE_ID}. */
export const DATABASE_SEED: number = crc32(DATABASE_ID);

/** A copy of bytes with fields by offset. */
export class Fields {
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  /** @param bytes taken over, not copied */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  uint16(at: number): number {
    return this.view.getUint16(at, true);
  }

  uint32(at: number): number {
    return this.view.getUint32(at, true);
  }

  uint48(at: number): number {
    return this.view.getUint32(at, true) + this.view.getUint16(at + 4, true) * 0x1_0000_0000;
  }

  float64(at: number): number {
    return this.view.getFloat64(at, true);
  }

  setUint16(at: number, value: number): void {
    this.view.setUint16(at, value, true);
  }

  setUint32(at: number, value: number): void {
    this.view.setUint32(at, value >>> 0, true);
  }

  setUint48(at: number, value: number): void {
    this.view.setUint32(at, value >>> 0, true);
    this.view.setUint16(at + 4, Math.floor(value / 0x1_0000_0000), true);
  }

  setText(at: number, text: string): void {
    for (let i = 0; i < text.length; i++) this.bytes[at + i] = text.charCodeAt(i);
  }

  /** CRC-32 of `[start, end)`, bound to a file and a place in it. */
  boundChecksum(start: number, end: number, fileNumber: number, place: number): number {
    return crc32(this.bytes.subarray(start, end), boundSeed(fileNumber, place));
  }
}

/** What stands before the bytes of a bound checksum: database, file and place, each number in eight bytes. */
export function boundSeed(fileNumber: number, place: number): number {
  const identity = Buffer.alloc(16);
  identity.writeBigUInt64LE(BigInt(fileNumber), 0);
  identity.writeBigUInt64LE(BigInt(place), 8);
  return crc32(identity, DATABASE_SEED);
}

/** An input: one byte of choices for the harness, then the bytes for the decoder, copied and cut or padded. */
export function splitInput(input: Uint8Array, lengthMin = 0): { readonly choices: number; readonly fields: Fields } {
  const bytes = new Uint8Array(Math.max(lengthMin, input.length - 1));
  bytes.set(input.subarray(1));
  return { choices: input.length === 0 ? 0 : input[0], fields: new Fields(bytes) };
}

/** The input that makes the harness take these choices over these bytes. */
export function joinInput(choices: number, bytes: Uint8Array): Uint8Array {
  const input = new Uint8Array(1 + bytes.length);
  input[0] = choices;
  input.set(bytes, 1);
  return input;
}

/** Whether two byte strings are equal. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
