/**
 * The harness's own files: evidence, witnesses, pages. The one place above the engine that imports `node:fs`; what an
 * engine under judgement writes goes through a `Vfs` instead.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../base/errors.ts';

/** Whether a file or folder of that name is there. */
export function fileExists(path: string): boolean {
  return existsSync(path);
}

/** Size in bytes. */
export function fileSizeBytes(path: string): number {
  return statSync(path).size;
}

/** Makes a folder and those above it. */
export function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true });
}

/** Removes a file or a folder with all it holds; nothing there is no error. */
export function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}

/** The text of a file, or `undefined` when there is none; other failures are thrown as they came. */
export function readTextIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The text of a file that must be there. */
export function readText(path: string): string {
  return readFileSync(path, 'utf8');
}

/** The bytes of a file that must be there. */
export function readBytes(path: string): Uint8Array {
  return readFileSync(path);
}

/** Adds a line; one `write`, so that lines of several processes do not mix. */
export function appendLine(path: string, line: string): void {
  appendFileSync(path, `${line}\n`);
}

/**
 * Replaces a file as a whole: temporary name, fsync, rename, fsync of the folder. After it returns the new text
 * survives a power cut; before, the old one is untouched.
 */
export function writeWhole(path: string, content: string | Uint8Array): void {
  const directory = dirname(path);
  makeDirectory(directory);
  const temporary = `${path}.${process.pid}.new`;
  const descriptor = openSync(temporary, 'w', 0o600);
  try {
    let bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : Buffer.from(content);
    while (bytes.length > 0) bytes = bytes.subarray(writeSync(descriptor, bytes));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
  const folder = openSync(directory, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Names in a folder, sorted by code unit; empty when there is no such folder. */
export function listNames(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Paths of all files below a folder, relative to it, sorted by code unit, with `/` between names. */
export function listFilesBelow(path: string): string[] {
  const found: string[] = [];
  const visit = (relative: string): void => {
    const entries = readdirSync(join(path, relative), { withFileTypes: true });
    for (const entry of entries) {
      const name = relative === '' ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory()) visit(name);
      else if (entry.isFile()) found.push(name);
    }
  };
  if (existsSync(path)) visit('');
  return found.sort();
}
