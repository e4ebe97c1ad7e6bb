/** What the chaos and soak stages do to real files and mounts behind an engine's back. Their one use of `node:fs`. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { errnoOf } from '../src/base/errors.ts';

/** Runs one command of the system, for mounts. Its standard error becomes the error's message. */
export function runCommand(command: string, ...parameters: readonly string[]): void {
  execFileSync(command, parameters, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/**
 * Changes options of a tmpfs that this process mounted. Without `ignore`, `mount` repeats the options of the mount table,
 * of which the owner's number is refused in a user namespace.
 */
export function remountTmpfs(options: string, path: string): void {
  runCommand('mount', '-n', '--options-mode', 'ignore', '-o', `remount,${options}`, 'tmpfs', path);
}

/** Whether a command is there and succeeds. */
export function commandWorks(command: string, ...parameters: readonly string[]): boolean {
  try {
    runCommand(command, ...parameters);
    return true;
  } catch {
    return false;
  }
}

const SHUT_DOWN = [
  'import fcntl, os, struct, sys',
  // EXT4_IOC_SHUTDOWN is _IOR('X', 125, __u32); 2 is EXT4_GOING_FLAGS_NOLOGFLUSH: what the log holds in memory is lost.
  "fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))",
].join('\n');

/** Shuts a mounted ext4 down as a power cut does: nothing more reaches its device, its log neither. */
export function shutDownExt4(path: string): void {
  runCommand('python3', '-c', SHUT_DOWN, path);
}

/** Writes zeros to a new file until the disk is full to the last byte, or the file has `bytesMax` bytes. Returns its size. */
export function fillUp(path: string, bytesMax: number): number {
  const descriptor = openSync(path, 'w');
  let size = 0;
  try {
    for (const chunkBytes of [65_536, 4096, 512, 1]) {
      const chunk = new Uint8Array(chunkBytes);
      try {
        while (size + chunkBytes <= bytesMax) size += writeSync(descriptor, chunk);
      } catch (error) {
        if (errnoOf(error) !== 'ENOSPC') throw error;
      }
    }
  } finally {
    closeSync(descriptor);
  }
  return size;
}

/** Makes a file of `sizeBytes` without blocks. */
export function makeSparse(path: string, sizeBytes: number): void {
  closeSync(openSync(path, 'w'));
  truncateSync(path, sizeBytes);
}

/** Removes a file that is there. */
export function removeFile(path: string): void {
  rmSync(path);
}

export function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true });
}

/** Sets permissions. */
export function setMode(path: string, mode: number): void {
  chmodSync(path, mode);
}

/** Descriptors that this process holds; the one that lists them is not counted. */
export function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length - 1;
}

/** Bytes and number of the files in a folder, those of the log apart; a file that vanishes meanwhile is not counted. */
export function folderSize(path: string): {
  readonly bytes: number;
  readonly logBytes: number;
  readonly files: number;
} {
  let bytes = 0;
  let logBytes = 0;
  let files = 0;
  for (const name of readdirSync(path)) {
    const status = statSync(join(path, name), { throwIfNoEntry: false });
    if (status?.isFile() !== true) continue;
    bytes += status.size;
    if (name.startsWith('wal-')) logBytes += status.size;
    files++;
  }
  return { bytes, logBytes, files };
}

/** Removes a folder with all it holds, if it is there. */
export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** Opens descriptors and keeps them: a leak of a known size. */
export class DescriptorLeak {
  private readonly held: number[] = [];

  growTo(count: number): void {
    while (this.held.length < Math.floor(count)) this.held.push(openSync('/dev/null', 'r'));
  }
}

/** A file that grows: a leak of a known size. */
export class FileLeak {
  private readonly path: string;
  private size = 0;

  constructor(path: string) {
    this.path = path;
  }

  growTo(bytes: number): void {
    const added = Math.floor(bytes) - this.size;
    if (added <= 0) return;
    appendFileSync(this.path, new Uint8Array(added));
    this.size += added;
  }
}

/** A line for each file of a folder: name, size, permissions, SHA-256. The lock is left alone: whoever closes it frees it. */
export function fingerprint(path: string): string[] {
  return readdirSync(path)
    .sort()
    .map((name) => {
      const status = statSync(join(path, name));
      if (!status.isFile() || name === 'LOCK') return `${name} ${status.mode.toString(8)}`;
      const hash = createHash('sha256').update(readFileSync(join(path, name)));
      return `${name} ${status.size} ${status.mode.toString(8)} ${hash.digest('hex')}`;
    });
}

/** A file kept open, to see what an fsync says twice. */
export class ProbeFile {
  private readonly descriptor: number;
  private position = 0;

  constructor(path: string) {
    this.descriptor = openSync(path, 'w');
  }

  /** Appends `bytes` zeros and says how an fsync ends: `ok` or an error's name. */
  appendAndSync(bytes: number): string {
    this.position += writeSync(this.descriptor, new Uint8Array(bytes), 0, bytes, this.position);
    return this.sync();
  }

  sync(): string {
    try {
      fdatasyncSync(this.descriptor);
      return 'ok';
    } catch (error) {
      return errnoOf(error) ?? String(error);
    }
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** Lines of the table of mounts that name this path. */
export function mountsBelow(path: string): number {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(` ${path}`)).length;
}

/**
 * A fresh folder that another user can reach: below `preferred` when every folder above it lets others pass, otherwise in
 * the system's folder for temporary files.
 */
export function makeReachableFolder(preferred: string): string {
  let reachable = true;
  for (let at = preferred; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) reachable = false;
    if (at === dirname(at)) break;
  }
  const folder = mkdtempSync(join(reachable ? preferred : tmpdir(), 'lightning-db-chaos-'));
  chmodSync(folder, 0o777);
  return folder;
}
