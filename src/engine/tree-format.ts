/**
 * Layout of `tree.db` (spec/formats/tree.md): constants and shapes, no behaviour.
 *
 * The file is an array of blocks of `blockSizeBytes`. Block 0 is the file's header, written once. A node is an extent of
 * one or more contiguous blocks; there are no overflow chains. Everything is little-endian.
 */
import { fromText } from '../base/bytes.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { type BlockNumber, type Generation, type Sequence, SEQUENCE_MAX } from './types.ts';
import { BLOCK_BYTES_MAX } from './limits.ts';

/** First bytes of the file. */
export const TREE_MAGIC = fromText('LDB-TREE');
/** Version of the header. */
export const TREE_FORMAT_VERSION = 1;
/**
 * magic 8 · crc u32 · format version u16 · zero u16 · compatible u32 · incompatible u32 · database id 16
 * · block size u32 · node target u32 · zeros to the end of the block. The CRC covers everything behind it.
 */
export const TREE_HEADER_BYTES = 48;
/** Where the bytes under the header's CRC begin. */
export const TREE_HEADER_CHECKED_FROM = 12;

/** crc u32 · magic u16 · kind u8 · level u8 · format u16 · generation u48 · payload length u32 · blocks u32. */
export const NODE_HEADER_BYTES = 24;
/** Second field of every node. */
export const NODE_MAGIC = 0x544c;
/** Version of the node layout. */
export const NODE_FORMAT_VERSION = 1;
/** Kind of a node that holds versions. */
export const NODE_LEAF = 1;
/** Kind of a node that holds references. */
export const NODE_BRANCH = 2;
/** Bytes of the largest extent that a reader accepts. */
export const NODE_BYTES_MAX = BLOCK_BYTES_MAX + 65_536;
/** Largest size that nodes may be packed to. */
export const NODE_TARGET_BYTES_MAX = 1024 * 1024;

/** count u32, then a slot u32 for each child, then the children. */
export const BRANCH_HEADER_BYTES = 4;
/** Offset of one child. */
export const BRANCH_SLOT_BYTES = 4;
/** block u32 · blocks u32 · generation u48 · payload length u32 · least droppable u48 · least deadline f64. */
export const REFERENCE_BYTES = 32;
/** reference · separator sequence u48 · separator key length u16, before the key. */
export const CHILD_HEADER_BYTES = REFERENCE_BYTES + 8;

/** The number that `tree.db` has in the cache and in checksums. */
export const TREE_FILE_NUMBER = 0;

/** Where a node lies, and what its reader has to find there. The manifest holds the root's, branches their children's. */
export interface NodeReference {
  readonly block: BlockNumber;
  readonly blocks: number;
  /** The build that wrote the node; tells a stale page or a lost write from the real one. */
  readonly generation: Generation;
  /** Known for children; checked where it is. */
  readonly payloadBytes?: number;
  /** The least sequence that, once nobody reads below it, makes something below droppable; `Infinity`: nothing. */
  readonly leastDroppable: number;
  /** The least deadline below; `Infinity`: none. */
  readonly leastDeadline: number;
}

/** What a branch knows of a child: also how full it is, so that neighbours can be merged without a look at them. */
export interface ChildReference extends NodeReference {
  readonly payloadBytes: number;
}

/** A tree that is not empty: its root is at level `height − 1`, its leaves at level 0. */
export interface TreeRoot {
  readonly reference: NodeReference;
  readonly height: number;
}

/**
 * A bound between two children, in internal order: the right one holds what is at or after it. Between versions of one
 * key it is (key, sequence of the last version on the left − 1), so that the right side knows its next newer version.
 */
export interface Separator {
  readonly key: Uint8Array;
  readonly sequence: Sequence;
}

/** Before every version of every key. */
export const MINUS_INFINITY: Separator = { key: new Uint8Array(0), sequence: SEQUENCE_MAX };

/** An open `tree.db`. */
export interface TreeFile {
  readonly file: VfsFile;
  /** For messages. */
  readonly fileName: string;
  /** CRC-32 of the database id. */
  readonly databaseSeed: number;
  readonly blockSizeBytes: number;
}

/** What the file's header says, fixed when the store is made. */
export interface TreeHeader {
  readonly databaseId: Uint8Array;
  readonly blockSizeBytes: number;
  /** Size that nodes are packed to; a multiple of the block size. */
  readonly nodeTargetBytes: number;
}
