/**
 * The file-system seam: the few calls that the engine makes, with the meaning that POSIX gives them. Two
 * implementations pass one conformance suite (vfs-conformance.ts): `NodeVfs` on real files, and the simulated disk of
 * src/faults.
 *
 * What a power cut does (spec/disk.md): bytes survive for certain once `sync` of their file has returned; a name
 * survives for certain once `syncDirectory` of its folder has returned. Before that, any part may survive.
 *
 * Paths are relative to the root of the Vfs, with `/` between names, and never leave it.
 *
 * Errors: operating system errors are thrown as they come (an `Error` whose `code` is `ENOSPC`, `EIO`, `ENOENT`, …); the
 * engine gives them a coded meaning.
 */

/** How a file is opened: `read` an existing one, `write` an existing one for reading and writing, or `create` a new one that must not exist. */
export type OpenMode = 'read' | 'write' | 'create';

/** An open file. Positions and lengths are bytes. */
export interface VfsFile {
  /**
   * Reads up to `length` bytes into `target[offset…]`; none only at the end of the file. Returns how many, which may be
   * fewer than there are: `readFully` goes on.
   */
  read(target: Uint8Array, offset: number, length: number, position: number): number;
  /**
   * Writes `source[offset, offset + length)` at `position`, extending the file where needed. Returns when the operating
   * system has all of it; nothing is durable yet.
   * @throws an operating system error; a part of the bytes may then have been written.
   */
  write(source: Uint8Array, offset: number, length: number, position: number): void;
  /** Makes everything written so far durable, the file's size included (fdatasync). */
  sync(): void;
  /** The same off the calling thread; writes may go on meanwhile and may or may not be covered. `done` is called once, later, never from inside this call. */
  syncAsync(done: (error: unknown) => void): void;
  /** Cuts or extends with zeros. Durable after the next `sync`. */
  truncate(sizeBytes: number): void;
  size(): number;
  /** Releases the descriptor, without making anything durable. Closing twice is an error of the caller. */
  close(): void;
}

/** What is held while a store is open. */
export interface VfsLock {
  release(): void;
}

/** A folder tree. */
export interface Vfs {
  /** @throws ENOENT when a file to read or write is missing, EEXIST when one to create is there, EISDIR for a folder, EACCES, EMFILE … */
  open(path: string, mode: OpenMode): VfsFile;
  /** Replaces `to` if it is there. Durable after `syncDirectory`. */
  rename(from: string, to: string): void;
  /** Removes a name. Durable after `syncDirectory`; until then the file may come back. */
  unlink(path: string): void;
  /** Names in a folder, sorted by code units; no `.` and `..`. */
  list(path: string): string[];
  /** What stands at a path; `undefined` if nothing does. */
  kind(path: string): 'file' | 'directory' | 'other' | undefined;
  /** Makes one folder, accessible to its owner alone; its parent must be there. */
  makeDirectory(path: string): void;
  /** Makes the names of a folder durable. */
  syncDirectory(path: string): void;
  /**
   * Takes an exclusive lock that dies with the process. Creates the file if it is missing. Nothing else may ever open it.
   * @throws LightningError `LIGHTNING_LOCKED` when somebody (this process included) holds it
   */
  lock(path: string): VfsLock;
}
