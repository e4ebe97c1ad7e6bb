/**
 * Layout of a tree file (spec/formats/tree.md): constants and shapes, no behaviour. `tree.db` is one; so is every sorted
 * run (spec/formats/run.md).
 *
 * The file is an array of blocks of `blockSizeBytes`. Block 0 is the file's header, written once. A node is an extent of
 * one or more contiguous blocks; there are no overflow chains. Everything is little-endian.
 */
import { fromText } from '../base/bytes.ts';
import type { FreeMapBuild } from '../base/free-map.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { type BlockNumber, type Compression, type Generation, type Sequence, SEQUENCE_MAX } from './types.ts';
import { BLOCK_BYTES_MAX } from './limits.ts';
import type { FileKind } from './sealed-file.ts';

/** What the header's seal says (sealed-file.ts). */
export const TREE_KIND: FileKind = { magic: fromText('LDB-TREE'), formatVersion: 1 };
/** Sealed bytes of the header: seal 44 · block size u32 · node target u32 · zeros. Zeros follow to the end of the block. */
export const TREE_HEADER_BYTES = 64;

/** crc u32 · magic u16 · kind u8 · level u8 · format u8 · compression u8 · generation u48 · payload u32 · stored u32. */
export const NODE_HEADER_BYTES = 24;
/** Second field of every node. */
export const NODE_MAGIC = 0x544c;
/** Version of the node layout. */
export const NODE_FORMAT_VERSION = 1;
/** Kind of a node that holds versions. */
export const NODE_LEAF = 1;
/** Kind of a node that holds references: its entries are separators, their values references. */
export const NODE_BRANCH = 2;
/** Kind of the node that holds what a file has besides its tree: a map of free blocks, or what belongs to a run. */
export const NODE_FOOTER = 3;
/** Bytes of the largest extent and of the largest payload that a reader accepts, footers apart. */
export const NODE_BYTES_MAX = BLOCK_BYTES_MAX + 65_536;
/** Largest size that nodes may be packed to. */
export const NODE_TARGET_BYTES_MAX = 1024 * 1024;
/** block u32 · blocks u32 · generation u48 · payload length u32 · least droppable u48 · least deadline f64. */
export const REFERENCE_BYTES = 32;

/** The number that `tree.db` has in the cache and in checksums; runs have their own. */
export const TREE_FILE_NUMBER = 0;
/** Unit of allocation in a sorted run. */
export const RUN_BLOCK_SIZE_BYTES = 64;

/** Where a node lies, and what its reader has to find there. The manifest holds the root's, branches their children's. */
export interface NodeReference {
  readonly block: BlockNumber;
  readonly blocks: number;
  /** The build that wrote the node; tells a stale page or a lost write from the real one. */
  readonly generation: Generation;
  /** How full the node is, so that neighbours can be merged without a look at them. */
  readonly payloadBytes: number;
  /** The least sequence that, once nobody reads below it, makes something below droppable; `Infinity`: nothing. */
  readonly leastDroppable: number;
  /** The least deadline below; `Infinity`: none. */
  readonly leastDeadline: number;
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

/** A node of a branch that is being built, and the bound before it. */
export interface Child {
  readonly separator: Separator;
  readonly reference: NodeReference;
}

/** Before every version of every key. */
export const MINUS_INFINITY: Separator = { key: new Uint8Array(0), sequence: SEQUENCE_MAX };

/** An open tree file. */
export interface TreeFile {
  readonly file: VfsFile;
  /** For messages. */
  readonly fileName: string;
  /** `TREE_FILE_NUMBER`, or the run's. */
  readonly fileNumber: number;
  /** CRC-32 of the database id. */
  readonly databaseSeed: number;
  readonly blockSizeBytes: number;
}

/** What binds a node to its file. */
export type NodeSurroundings = Omit<TreeFile, 'file' | 'fileName'>;

/** What the file's header says, fixed when the file is made. */
export interface TreeHeader {
  readonly databaseId: Uint8Array;
  readonly fileNumber: number;
  readonly blockSizeBytes: number;
  /** Size that nodes are packed to; a multiple of the block size. */
  readonly nodeTargetBytes: number;
}

/** What a build is made with. */
export interface TreeBuildInput {
  readonly tree: TreeFile;
  /** Size that nodes are packed to; the file's header has it. */
  readonly nodeTargetBytes: number;
  readonly compression: Compression;
  readonly generation: Generation;
  readonly blocks: FreeMapBuild;
}
