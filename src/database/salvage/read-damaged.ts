/**
 * Reads what is readable of a damaged store and offers it row by row. The store is not changed: recovery and every repair
 * happen in memory (overlay-vfs.ts), and nothing is known here of blocks and pages.
 *
 *   opening fails on a run or a segment of the log → the manifest in memory does without it, and opening is tried again
 *   reading fails → forward up to the damage, backward down to it, and between the two by halving the range of keys
 *   a range that stays unreadable → it is read once more without the damaged file: what other files hold of it is there
 *
 * What is lost is said. A run that is left out may let an older value of a key show, or a deleted key: `doubts` says so.
 */
import { compareBytes, equalBytes } from '../../base/bytes.ts';
import { errnoOf, isLightningError, LightningError } from '../../base/errors.ts';
import { Engine, type Scan, type ScanOptions, type Sequence } from '../../engine/index.ts';
import { MANIFEST_FILE, runFileName, TREE_FILE, walFileName } from '../../engine/file-names.ts';
import type { ManifestState } from '../../engine/manifest-format.ts';
import { swapManifest } from '../../engine/manifest-writer.ts';
import { readManifest } from '../../engine/recovery.ts';
import { EMPTY_TREE } from '../../engine/tree.ts';
import { asFileNumber } from '../../engine/types.ts';
import { WAL_HEADER_BYTES } from '../../engine/wal-format.ts';
import { encodeSegmentHeader } from '../../engine/wal-writer.ts';
import { crc32 } from '../../base/checksum.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { readingBlobs } from '../blobs/blob-files.ts';
import { OverlayVfs } from '../read-only/overlay-vfs.ts';

/** Halvings of a damaged range before it is given up. */
const DEPTH_MAX = 8;

/** A row that was read. */
export interface SalvagedRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Milliseconds since 1970; `Infinity` for none. */
  readonly deadline: number;
}

interface Loss {
  readonly start: Uint8Array;
  readonly end: Uint8Array | undefined;
  readonly problem: string;
  /** Rows read before it. */
  readonly rows: number;
}

/** What could not be read. */
export interface SalvageReport {
  readonly rows: number;
  /** What is wrong, in words; empty: nothing was. */
  readonly losses: readonly string[];
  /** Why a row that was read may be older than the newest one. */
  readonly doubts: readonly string[];
}

/** The store as far as it can be opened without some of its files. */
interface Remainder {
  readonly engine: Engine;
  readonly overlay: OverlayVfs;
  readonly leftOut: readonly string[];
}

/** Works on one store; see the head of the file. */
class Salvage {
  readonly doubts = new Set<string>();
  rows = 0;
  private readonly vfs: Vfs;
  private readonly losses = new Set<string>();
  private readonly lost: Loss[] = [];
  private readonly remainders: Remainder[] = [];

  constructor(vfs: Vfs) {
    this.vfs = vfs;
  }

  /**
   * Opens without some files, and without those besides that opening fails on.
   * @throws LightningError when nothing can be opened without inventing something
   */
  open(leftOut: readonly string[] = []): Remainder {
    const known = this.remainders.find((one) => one.leftOut.join() === leftOut.join());
    if (known !== undefined) return known;
    const overlay = new OverlayVfs(this.vfs);
    try {
      for (const file of leftOut) this.leaveOut(overlay, file);
      for (;;) {
        try {
          const engine = Engine.open(
            { vfs: overlay, references: readingBlobs },
            { createIfMissing: false, cacheBytes: 0 },
          );
          const { tornTail } = engine.recovery;
          if (tornTail !== undefined) this.doubts.add(`the log ends with what is no commit: ${tornTail}`);
          const remainder = { engine, overlay, leftOut };
          this.remainders.push(remainder);
          return remainder;
        } catch (error) {
          const file = damagedFile(error);
          if (file === undefined || !this.leaveOut(overlay, file)) throw error;
          this.losses.add(error instanceof Error ? error.message : file);
        }
      }
    } catch (error) {
      overlay.close();
      throw error;
    }
  }

  close(): void {
    for (const { engine, overlay } of this.remainders) {
      engine.close();
      overlay.close();
    }
  }

  /** Takes a file out of the manifest in memory. Returns false when the store cannot do without. */
  private leaveOut(overlay: OverlayVfs, file: string): boolean {
    if (file === MANIFEST_FILE) return false;
    const manifest = readManifest(overlay);
    const without = withoutFile(overlay, manifest, file);
    if (without === undefined) return false;
    swapManifest(overlay, { ...manifest, ...without });
    if (without.tree === undefined) this.doubts.add(`${file} was left out: older values and deleted keys may show`);
    return true;
  }

  /** Rows of `[low, high)` in key order, as far as they can be read. */
  *read(from: Remainder, low: Uint8Array, high: Uint8Array | undefined, depth = 0): Generator<SalvagedRow> {
    let last: Uint8Array | undefined;
    const problem = yield* this.readOne(from.engine, boundsOf(low, high), (key) => (last = key));
    if (problem === undefined) return;
    const start = last === undefined ? low : after(last);
    if (depth > DEPTH_MAX) {
      yield* this.lose(from, start, high, problem);
      return;
    }
    const floor = this.lowestFromAbove(from.engine, start, high);
    const end = floor?.key ?? high;
    const middle = middleOf(start, end);
    if (depth < DEPTH_MAX && middle !== undefined) {
      yield* this.read(from, start, middle, depth + 1);
      yield* this.read(from, middle, end, depth + 1);
    } else {
      yield* this.lose(from, start, end, problem);
    }
    if (floor === undefined) return;
    if (floor.row === undefined) {
      yield* this.read(from, floor.key, high, DEPTH_MAX + 1);
      return;
    }
    // A seek to it may lead through the damage once more.
    this.rows++;
    yield floor.row;
    yield* this.read(from, after(floor.key), high, DEPTH_MAX + 1);
  }

  /** Notes that a range is damaged, and gives what files without damage hold of it. */
  private *lose(
    from: Remainder,
    start: Uint8Array,
    end: Uint8Array | undefined,
    problem: LightningError,
  ): Generator<SalvagedRow> {
    this.note(start, end, problem.message);
    const file = damagedFile(problem);
    if (file === undefined || from.leftOut.includes(file)) return;
    let rest: Remainder;
    try {
      rest = this.open([...from.leftOut, file].sort());
    } catch (error) {
      if (!isDamage(error)) throw error;
      return;
    }
    yield* this.read(rest, start, end);
  }

  /** Ranges that touch are one loss. */
  private note(start: Uint8Array, end: Uint8Array | undefined, problem: string): void {
    const before = this.lost.at(-1);
    const touches = before?.end !== undefined && equalBytes(before.end, start) && before.rows === this.rows;
    if (touches) this.lost.pop();
    this.lost.push({ start: touches ? before.start : start, end, problem, rows: this.rows });
  }

  /** What was lost, in words. */
  allLosses(): string[] {
    const ranges = this.lost.map(
      ({ start, end, problem }) =>
        `between ${show(start)} and ${end === undefined ? 'the end' : show(end)}: ${problem}`,
    );
    return [...this.losses, ...ranges];
  }

  private *readOne(
    engine: Engine,
    bounds: ScanOptions,
    seen: (key: Uint8Array) => void,
  ): Generator<SalvagedRow, LightningError | undefined> {
    const scan = engine.scan(bounds);
    let last: Uint8Array | undefined;
    try {
      while (scan.next()) {
        const key = scan.current.key();
        const value = this.valueOf(scan, key);
        last = key;
        seen(key);
        if (value === undefined) continue;
        this.rows++;
        yield { key, value, deadline: scan.current.deadline };
      }
      return undefined;
    } catch (error) {
      if (!isDamage(error)) throw error;
      const row = standingOn(engine, scan);
      if (row !== undefined && (last === undefined || !equalBytes(last, row.key))) {
        seen(row.key);
        this.rows++;
        yield row;
      }
      return error;
    } finally {
      scan.close();
    }
  }

  /** A value that lies outside may be damaged while its row is whole: that one row is lost then, and said to be. */
  private valueOf({ current }: Scan, key: Uint8Array): Uint8Array | undefined {
    if (!current.stored().isReference) return current.value();
    try {
      return current.value();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.note(key, after(key), error.message);
      return undefined;
    }
  }

  /** The lowest key that is read when coming from above; with its row, where damage lies right before it. */
  private lowestFromAbove(
    engine: Engine,
    low: Uint8Array,
    high: Uint8Array | undefined,
  ): { readonly key: Uint8Array; readonly row: SalvagedRow | undefined } | undefined {
    const scan = engine.scan({ ...boundsOf(low, high), reverse: true });
    let lowest: Uint8Array | undefined;
    let row: SalvagedRow | undefined;
    try {
      while (scan.next()) lowest = scan.current.key();
    } catch (error) {
      if (!isDamage(error)) throw error;
      row = standingOn(engine, scan);
    } finally {
      scan.close();
    }
    const key = row?.key ?? lowest;
    return key === undefined ? undefined : { key, row };
  }
}

/**
 * The row that a scan stood on when it met damage on its way to the next one. Where only an older version of it was
 * reached, its deadline is looked for by a scan of its own.
 */
function standingOn(engine: Engine, { current }: Scan): SalvagedRow | undefined {
  if (!current.valid) return undefined;
  const key = current.key();
  const scan = engine.scan({ gte: key, lte: key });
  try {
    const value = engine.get(key);
    if (value === undefined) return undefined;
    if (stepsOn(scan)) return { key, value, deadline: scan.current.deadline };
    return equalBytes(value, current.value()) ? { key, value, deadline: current.deadline } : undefined;
  } catch (error) {
    if (!isDamage(error)) throw error;
    return undefined;
  } finally {
    scan.close();
  }
}

/** Whether a scan of one key comes to stand on it, be it that damage lies behind it. */
function stepsOn(scan: Scan): boolean {
  try {
    return scan.next();
  } catch (error) {
    if (!isDamage(error)) throw error;
    return scan.current.valid;
  }
}

function boundsOf(low: Uint8Array, high: Uint8Array | undefined): ScanOptions {
  return { gte: low, ...(high === undefined ? {} : { lt: high }) };
}

function isDamage(error: unknown): error is LightningError {
  return isLightningError(error, 'LIGHTNING_CORRUPTION') || isLightningError(error, 'LIGHTNING_IO');
}

/** The file that an error names as damaged or missing. */
function damagedFile(error: unknown): string | undefined {
  if (!isDamage(error) && errnoOf(error) !== 'ENOENT') return undefined;
  const file = error instanceof LightningError ? error.details['file'] : undefined;
  return typeof file === 'string' ? file : undefined;
}

function withoutFile(overlay: OverlayVfs, manifest: ManifestState, file: string): Partial<ManifestState> | undefined {
  // What is gone with the tree is the oldest: nothing shows in its place.
  if (file === TREE_FILE && manifest.tree !== EMPTY_TREE && manifest.tree.blockCount > 0) return { tree: EMPTY_TREE };
  const runs = manifest.runs.filter((run) => runFileName(run.fileNumber) !== file);
  if (runs.length < manifest.runs.length) return { runs };
  const at = manifest.segments.findIndex((segment) => walFileName(segment.fileNumber) === file);
  if (at < 0) return undefined;
  // The log ends where the damaged segment begins: what comes behind would be commits without their predecessors.
  const { firstSequence } = manifest.segments[at];
  const fileNumber = asFileNumber(manifest.nextFileNumber);
  const identity = { databaseId: manifest.databaseId, databaseSeed: crc32(manifest.databaseId), fileNumber };
  const log = overlay.open(walFileName(fileNumber), 'create');
  log.write(encodeSegmentHeader(identity, (firstSequence - 1) as Sequence), 0, WAL_HEADER_BYTES, 0);
  log.close();
  for (const { fileNumber: gone } of manifest.segments.slice(at)) {
    if (overlay.kind(walFileName(gone)) !== undefined) overlay.unlink(walFileName(gone));
  }
  const segments = [...manifest.segments.slice(0, at), { fileNumber, firstSequence, sealed: undefined }];
  return { segments, nextFileNumber: asFileNumber(fileNumber + 1) };
}

/** The least key above `key`. */
function after(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

/** A key strictly between two, about halfway; `undefined` when there is none worth trying. */
function middleOf(low: Uint8Array, high: Uint8Array | undefined): Uint8Array | undefined {
  const length = Math.max(low.length, high?.length ?? 0) + 1;
  let carry = 0;
  const sum = new Uint8Array(length);
  for (let i = length - 1; i >= 0; i--) {
    const total = (low[i] ?? 0) + (high === undefined ? 0xff : (high[i] ?? 0)) + carry;
    sum[i] = total & 0xff;
    carry = total >> 8;
  }
  const middle = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    middle[i] = ((carry << 7) | (sum[i] >> 1)) & 0xff;
    carry = sum[i] & 1;
  }
  if (compareBytes(middle, low) <= 0) return undefined;
  return high === undefined || compareBytes(middle, high) < 0 ? middle : undefined;
}

function show(key: Uint8Array): string {
  return key.length === 0 ? 'the first key' : `key ${Buffer.from(key.subarray(0, 24)).toString('hex')}`;
}

/**
 * The readable rows of a store, in key order; the report is returned at the end.
 * @param vfs gets no call but for reading
 * @throws LightningError when the manifest or the tree's own files cannot be read at all
 */
export function* salvageRows(vfs: Vfs): Generator<SalvagedRow, SalvageReport> {
  const salvage = new Salvage(vfs);
  try {
    yield* salvage.read(salvage.open(), new Uint8Array(0), undefined);
  } finally {
    salvage.close();
  }
  return { rows: salvage.rows, losses: salvage.allLosses(), doubts: [...salvage.doubts] };
}
