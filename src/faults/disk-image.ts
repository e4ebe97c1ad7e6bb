/**
 * A disk at rest: folders, and files with their bytes. What a power cut leaves behind, what a damage is done to, and what
 * a simulated disk starts from.
 *
 * Bytes in an image are never changed in place, so that images and disks share them; whoever changes a file sets new
 * bytes.
 */
import { assert } from '../base/assert.ts';
import { equalBytes, fromText } from '../base/bytes.ts';
import { crc32 } from '../base/checksum.ts';
import { hash32 } from '../base/hash.ts';
import { splitPath } from '../vfs/path.ts';

/** Hashes of bytes that are shared between images, so that an unchanged file is hashed once. */
const knownHashes = new WeakMap<Uint8Array, string>();

/** Paths are relative to the root, as in a Vfs; the root folder is always there. */
export class DiskImage {
  private readonly contents = new Map<string, Uint8Array>();
  private readonly folderPaths = new Set<string>();

  /** An image of these files, given by path. */
  static of(files: Readonly<Record<string, Uint8Array>>): DiskImage {
    const image = new DiskImage();
    for (const [path, bytes] of Object.entries(files)) image.set(path, bytes);
    return image;
  }

  /** Paths of the files, sorted by code units. */
  paths(): string[] {
    return [...this.contents.keys()].sort();
  }

  /** Paths of the folders without the root, sorted, so that a parent stands before what is in it. */
  folders(): string[] {
    return [...this.folderPaths].sort();
  }

  /** The bytes of a file, not to be changed; `undefined` if there is none. */
  get(path: string): Uint8Array | undefined {
    return this.contents.get(path);
  }

  /** Sets a file, and the folders above it. The bytes are taken without a copy and must not change afterwards. */
  set(path: string, bytes: Uint8Array): void {
    const names = splitPath(path);
    assert(names.length > 0, 'a file has a name');
    assert(!this.folderPaths.has(path), 'a path is a file or a folder', path);
    this.addFolder(names.slice(0, -1).join('/'));
    this.contents.set(path, bytes);
  }

  /** Sets a folder, and those above it. */
  addFolder(path: string): void {
    const names = splitPath(path);
    for (let length = names.length; length > 0; length--) {
      const folder = names.slice(0, length).join('/');
      if (this.folderPaths.has(folder)) return;
      assert(!this.contents.has(folder), 'a path is a file or a folder', folder);
      this.folderPaths.add(folder);
    }
  }

  /** Removes a file; returns whether it was there. */
  remove(path: string): boolean {
    return this.contents.delete(path);
  }

  /** A copy with the same bytes, shared. */
  clone(): DiskImage {
    const copy = new DiskImage();
    for (const folder of this.folderPaths) copy.folderPaths.add(folder);
    for (const [path, bytes] of this.contents) copy.contents.set(path, bytes);
    return copy;
  }

  /** Sum of the sizes of the files. */
  get sizeBytes(): number {
    let total = 0;
    for (const bytes of this.contents.values()) total += bytes.length;
    return total;
  }

  equals(other: DiskImage): boolean {
    if (this.contents.size !== other.contents.size || this.folderPaths.size !== other.folderPaths.size) return false;
    for (const folder of this.folderPaths) if (!other.folderPaths.has(folder)) return false;
    for (const [path, bytes] of this.contents) {
      const theirs = other.contents.get(path);
      if (theirs === undefined || (theirs !== bytes && !equalBytes(theirs, bytes))) return false;
    }
    return true;
  }

  /**
   * Sixteen hexadecimal digits over names, folders and bytes: CRC-32 and a 32-bit hash of another kind side by side. (Two
   * CRCs with two seeds would be one: they differ by a constant.) For telling disks apart, not against an adversary.
   */
  hash(): string {
    const parts = this.folders().map((folder) => `${folder}/`);
    for (const path of this.paths()) {
      const bytes = this.contents.get(path);
      assert(bytes !== undefined, 'a listed file is there', path);
      parts.push(path, String(bytes.length), hashOfContent(bytes));
    }
    return hashOfBytes(fromText(parts.join('\0')));
  }
}

function hashOfContent(bytes: Uint8Array): string {
  let hash = knownHashes.get(bytes);
  if (hash === undefined) {
    hash = hashOfBytes(bytes);
    knownHashes.set(bytes, hash);
  }
  return hash;
}

function hashOfBytes(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, '0') + hash32(bytes).toString(16).padStart(8, '0');
}
