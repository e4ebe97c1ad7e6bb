/**
 * What the bench stands on: folders for stores, the medium they lie on, bytes that the process wrote, the machine. The
 * one place of the bench that meets the file system.
 */
import {
  accessSync,
  closeSync,
  constants,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Where the files of a run lie. */
export interface Medium {
  readonly fileSystem: string;
  /** Name of the device, without its path. */
  readonly device: string;
  /** Whether an fsync on it reaches anything that survives a power cut. */
  readonly volatile: boolean;
}

/** The machine, without its name and without paths. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** Processes that wanted to run, averaged over the minute before: above `cores`, others shared the processor. */
  readonly loadBefore: number;
  readonly medium: Medium;
}

const VOLATILE = new Set(['tmpfs', 'ramfs', 'devtmpfs']);

/** Finds the mount that holds `path` (absolute, without links) in the text of /proc/self/mountinfo. */
export function mediumIn(mountInfo: string, path: string): Medium | undefined {
  let best = '';
  let medium: Medium | undefined;
  for (const line of mountInfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const mountPoint = left?.split(' ')[4]?.replaceAll('\\040', ' ');
    if (mountPoint === undefined || right === undefined) continue;
    const inside = path === mountPoint || path.startsWith(mountPoint === '/' ? '/' : `${mountPoint}/`);
    // Of two mounts on one point the later one is on top.
    if (!inside || mountPoint.length < best.length) continue;
    best = mountPoint;
    const [fileSystem = 'unknown', source = 'unknown'] = right.split(' ');
    medium = { fileSystem, device: source.slice(source.lastIndexOf('/') + 1), volatile: VOLATILE.has(fileSystem) };
  }
  return medium;
}

/** The medium of a folder; unknown where the system has no /proc. */
export function mediumOf(folder: string): Medium {
  const unknown = { fileSystem: 'unknown', device: 'unknown', volatile: false };
  try {
    return mediumIn(readFileSync('/proc/self/mountinfo', 'utf8'), realpathSync(folder)) ?? unknown;
  } catch {
    return unknown;
  }
}

export function machineOf(folder: string): Machine {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    system: `${platform()} ${arch()} ${release()}`,
    node: process.version,
    loadBefore: loadavg()[0],
    medium: mediumOf(folder),
  };
}

/** A folder of this run below `parent`, which is made if need be; removed with all stores by `remove`. */
export class Workspace {
  readonly root: string;
  private next = 0;

  constructor(parent: string) {
    mkdirSync(parent, { recursive: true });
    this.root = mkdtempSync(join(resolve(parent), 'bench-'));
  }

  /** A new empty folder. */
  folder(): string {
    const path = join(this.root, String(this.next++));
    mkdirSync(path);
    return path;
  }

  /** Copies the files of a store that nobody has open. */
  copyOf(files: ReadonlyMap<string, Uint8Array>): string {
    const path = this.folder();
    for (const [name, bytes] of files) writeFileSync(join(path, name), bytes, { mode: 0o600 });
    return path;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Forgets a store. */
export function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** The files of a folder without folders in it, by name. */
export function filesIn(folder: string): Map<string, Uint8Array> {
  return new Map(readdirSync(folder).map((name) => [name, new Uint8Array(readFileSync(join(folder, name)))]));
}

/** Bytes that the files of a folder occupy, and their lengths; sparse files occupy less than their length. */
export function sizeOf(folder: string): { readonly occupied: number; readonly length: number } {
  let occupied = 0;
  let length = 0;
  for (const name of readdirSync(folder)) {
    const status = statSync(join(folder, name));
    occupied += status.blocks * 512;
    length += status.size;
  }
  return { occupied, length };
}

/** Bytes that this process handed to write calls so far, all threads; `undefined` where the system does not count. */
export function bytesWritten(): number | undefined {
  try {
    const found = /^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'));
    return found === null ? undefined : Number(found[1]);
  } catch {
    return undefined;
  }
}

/** The least that durability costs: append and fdatasync, on one file. */
export class BareLog {
  private readonly descriptor: number;
  private position = 0;

  constructor(path: string) {
    this.descriptor = openSync(path, 'wx', 0o600);
  }

  append(bytes: Uint8Array): void {
    this.position += writeSync(this.descriptor, bytes, 0, bytes.length, this.position);
    fdatasyncSync(this.descriptor);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** Throws the operating system's error when a result file could not be written there; a run takes minutes. */
export function checkWritable(path: string): void {
  accessSync(dirname(resolve(path)), constants.W_OK);
}

/** Writes a result file. */
export function saveJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
