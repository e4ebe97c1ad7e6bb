/**
 * What a run did to its log, as events of WALRecovery.tla. Everything comes from the file system; of the engine's own
 * words only `publish` and `recover` are used, and the model says whether it may utter them.
 */
import type { DiskImage } from '../src/faults/disk-image.ts';
import { readManifestBytes, readRecords, SEGMENT_HEADER_BYTES, type WrittenRecord } from './trace-bytes.ts';
import { EventLog, type TraceEvent } from './trace-events.ts';
import type { FileStep } from './trace-recorder.ts';

/** The model numbers records by segment and place. */
const PLACES_PER_SEGMENT = 1000;
const MANIFEST = 'MANIFEST';
const MANIFEST_TEMPORARY = 'MANIFEST.tmp';

type Stage =
  'running' | 'created' | 'entered' | 'named' | 'down' | 'copied' | 'fsynced' | 'reentered' | 'renamed' | 'resettled';
type FlushStep = 'idle' | 'written' | 'fsynced' | 'entered' | 'named';

interface KnownRecord {
  readonly id: number;
  readonly record: WrittenRecord;
  readonly bytes: Uint8Array;
}

function numberOf(path: string, pattern: RegExp): number | undefined {
  const match = pattern.exec(path);
  return match === null ? undefined : Number(match[1]);
}

const segmentOf = (path: string): number | undefined => numberOf(path, /^wal-(\d+)\.log$/);
const runOf = (path: string): number | undefined => numberOf(path, /^run-(\d+)\.sst$/);

/** Collects the events of one run. */
export class WalTrace {
  readonly log: EventLog = new EventLog();
  /** The segments that are there, or may come back: an unlink lasts from the next fsync of the directory on. */
  private readonly segments = new Map<number, KnownRecord[]>();
  private readonly unlinked = new Set<number>();
  private readonly everThere = new Set<number>();
  /** Commits by sequence and content, newest last: a copy is recognised by what it holds. */
  private readonly written: { readonly sequence: number; readonly payload: string; readonly id: number }[] = [];
  private stage: Stage = 'running';
  private flush: FlushStep = 'idle';
  private current: number;
  /** Files that were written and not fsynced since, by this process. */
  private readonly unsynced = new Set<string>();
  private treeBuild = 0;
  private manifestBytes: Uint8Array = new Uint8Array(0);
  private syncing: number | undefined;
  private durable = 0;
  private nextId = 1;
  /** The segment that the trace begins with, empty and named. */
  readonly first: number;

  constructor(first: number) {
    this.first = first;
    this.current = first;
    this.setRecords(first, []);
  }

  get events(): readonly TraceEvent[] {
    return this.log.events;
  }

  /** Every segment that was ever there. */
  get segmentNumbers(): number[] {
    return [...this.everThere].sort((a, b) => a - b);
  }

  /** Whether a sync of the log is under way. */
  get isSyncing(): boolean {
    return this.syncing !== undefined;
  }

  private setRecords(segment: number, records: KnownRecord[]): void {
    this.segments.set(segment, records);
    this.everThere.add(segment);
  }

  private recordsOf(segment: number): KnownRecord[] {
    const records = this.segments.get(segment) ?? [];
    this.setRecords(segment, records);
    return records;
  }

  step(step: FileStep): void {
    const segment = segmentOf(step.path);
    if (step.operation === 'create') this.created(step.path, segment);
    else if (step.operation === 'write') this.wrote(step, segment);
    else if (step.operation === 'sync-begin' || step.operation === 'sync') this.synced(step, segment);
    else if (step.operation === 'rename') this.renamed();
    else if (step.operation === 'unlink') {
      if (segment === undefined) return;
      this.unlinked.add(segment);
      this.log.add('Delete', { f: segment });
    } else this.directorySynced();
  }

  private created(path: string, segment: number | undefined): void {
    if (segment !== undefined && this.stage === 'running') {
      this.log.add('RotateCreate', { f: segment, last: this.lastSequence() });
      this.durable = this.lastSequence();
      this.stage = 'created';
      this.current = segment;
      this.recordsOf(segment);
    } else if (runOf(path) !== undefined) {
      this.log.add('FlushWrite');
      this.flush = 'written';
    }
  }

  private lastSequence(): number {
    return this.recordsOf(this.current).at(-1)?.record.sequence ?? this.durable;
  }

  private wrote(step: FileStep, segment: number | undefined): void {
    const { bytes, position } = step;
    if (bytes === undefined || position === undefined) return;
    this.unsynced.add(step.path);
    if (step.path === MANIFEST_TEMPORARY) this.manifestBytes = bytes;
    if (segment === undefined) return;
    if (this.stage === 'down') this.copied(segment, bytes);
    else if (position >= SEGMENT_HEADER_BYTES) this.appended(segment, bytes, position);
  }

  private appended(segment: number, bytes: Uint8Array, position: number): void {
    const { records, restBytes } = readRecords(bytes, position);
    const known = this.recordsOf(segment);
    const expectedAt = known.at(-1)?.record.end ?? SEGMENT_HEADER_BYTES;
    for (const record of records) {
      const id = this.nextId++;
      const inPlace = position === expectedAt && restBytes === 0 && records.length === 1;
      this.log.add('Write', { f: segment, id, seq: record.sequence, mark: record.mark, inPlace });
      this.written.push({ sequence: record.sequence, payload: record.payload, id });
      known.push({ id, record, bytes: bytes.slice(record.start - position, record.end - position) });
    }
  }

  /** The copy of the last segment: header and records in one write. */
  private copied(segment: number, bytes: Uint8Array): void {
    const { records, restBytes } = readRecords(bytes.subarray(SEGMENT_HEADER_BYTES), SEGMENT_HEADER_BYTES);
    const known: KnownRecord[] = records.map((record) => ({
      id: this.written.findLast((one) => one.sequence === record.sequence && one.payload === record.payload)?.id ?? 0,
      record,
      bytes: bytes.slice(record.start, record.end),
    }));
    this.log.add('RecoverRead');
    const ids = known.map(({ id }) => id);
    const seqs = known.map(({ record }) => record.sequence);
    this.log.add('RecoverCopy', { f: segment, count: known.length, ids, seqs, rest: restBytes });
    this.setRecords(segment, known);
    this.current = segment;
    this.stage = 'copied';
  }

  private synced(step: FileStep, segment: number | undefined): void {
    const begins = step.operation === 'sync-begin';
    if (!begins) this.unsynced.delete(step.path);
    if (!begins && runOf(step.path) !== undefined && this.flush === 'written') {
      this.log.add('FlushFsync');
      this.flush = 'fsynced';
    }
    if (segment === undefined || segment !== this.current) return;
    if (this.stage === 'copied') {
      if (begins) return;
      this.log.add('RecoverFsync');
      this.stage = 'fsynced';
    } else if (this.stage === 'running') this.segmentSynced(begins);
  }

  private segmentSynced(begins: boolean): void {
    const last = this.lastSequence();
    if (begins && this.syncing === undefined && last > this.durable) {
      this.syncing = last;
      this.log.add('SyncBegin', { length: this.recordsOf(this.current).length });
    } else if (!begins && this.syncing !== undefined) {
      this.durable = Math.max(this.durable, this.syncing);
      this.log.add('SyncEnd', { durable: this.durable });
      this.syncing = undefined;
    }
  }

  private renamed(): void {
    const { segments, flushed, runs, treeBuild } = readManifestBytes(this.manifestBytes);
    // What it names that the one before did not, and its own bytes, were fsynced before.
    const named = [MANIFEST_TEMPORARY, ...runs.map((run) => `run-${run}.sst`)];
    if (treeBuild !== this.treeBuild) named.push('tree.db');
    this.treeBuild = treeBuild;
    const names = { segments, flushed, unsynced: new Set(named.filter((path) => this.unsynced.has(path))) };
    if (this.stage === 'entered') {
      this.log.add('RotateName', names);
      this.stage = 'named';
    } else if (this.stage === 'reentered') {
      this.log.add('RecoverName', names);
      this.stage = 'renamed';
    } else if (this.stage === 'running' && this.flush === 'entered') {
      this.log.add('FlushName', names);
      this.flush = 'named';
    } else this.log.add('StructureNamed', names);
  }

  private directorySynced(): void {
    for (const segment of this.unlinked) this.segments.delete(segment);
    this.unlinked.clear();
    const [action, next] = this.settling();
    this.log.add(action);
    if (next !== undefined) this.stage = next;
  }

  private settling(): [string, Stage | undefined] {
    if (this.stage === 'created') return ['RotateDirectoryFsync', 'entered'];
    if (this.stage === 'named') return ['RotateSettle', 'running'];
    if (this.stage === 'fsynced') return ['RecoverDirectoryFsync', 'reentered'];
    if (this.stage === 'renamed') return ['RecoverSettle', 'resettled'];
    if (this.stage === 'running' && this.flush === 'fsynced') {
      this.flush = 'entered';
      return ['FlushEnter', undefined];
    }
    if (this.stage === 'running' && this.flush === 'named') {
      this.flush = 'idle';
      return ['FlushSettle', undefined];
    }
    return ['StructureSynced', undefined];
  }

  /** The engine made commits up to `sequence` readable, and their writers were told. */
  published(sequence: number): void {
    this.log.add('Acknowledge', { floor: sequence });
  }

  /** Opening has ended. */
  recovered(last: number): void {
    this.log.add('RecoverPublish', { last });
    this.stage = 'running';
    this.durable = last;
  }

  private down(): void {
    this.unsynced.clear();
    this.stage = 'down';
    this.flush = 'idle';
    this.syncing = undefined;
  }

  /** The process was killed; the machine goes on. */
  killed(): void {
    this.log.add(this.stage === 'down' ? 'KilledAgain' : 'ProcessKill');
    this.down();
  }

  /** The power was cut; `image` is what the disk holds. */
  powerCut(image: DiskImage): void {
    const kept = new Set<number>();
    const torn = new Set<number>();
    const lost = new Set<number>();
    const entries = new Set<number>();
    const missing = new Set<number>();
    for (const [segment, records] of this.segments) {
      const content = image.get(`wal-${segment}.log`);
      if (content === undefined) {
        missing.add(segment);
        continue;
      }
      entries.add(segment);
      records.forEach(({ record, bytes }, index) => {
        const there = content.subarray(record.start, record.end);
        const place = segment * PLACES_PER_SEGMENT + index + 1;
        if (Buffer.compare(there, bytes) === 0) kept.add(place);
        else if (there.some((byte, at) => byte !== 0 && byte === bytes[at])) torn.add(place);
        else lost.add(place);
      });
    }
    for (const segment of missing) this.segments.delete(segment);
    this.unlinked.clear();
    const { segments, flushed } = readManifestBytes(image.get(MANIFEST) ?? new Uint8Array(0));
    this.log.add('PowerCut', { kept, torn, lost, entries, missing, m: { segments, flushed } });
    this.down();
  }
}
