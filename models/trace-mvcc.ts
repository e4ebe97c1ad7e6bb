/**
 * What a run did to its versions, as events of MVCC.tla. Commits and syncs come from the file system, reads and conflicts
 * from the client, the rest from the observer; what the client can read at each live snapshot is logged with every change
 * of structure, so that a step which takes a version away is refused itself.
 */
import type { WrittenManifest, WrittenOperation, WrittenRecord } from './trace-bytes.ts';
import { EventLog, type TraceEvent, type TraceValue } from './trace-events.ts';

/** A snapshot as the client was given it. */
export interface TraceView {
  readonly sequence: number;
  readonly now: number;
}

/** One answer of the engine: `value` is the text that was read, `undefined` for absent. */
export interface TraceAnswer {
  readonly key: string;
  /** `undefined`: at what is published now. */
  readonly view: TraceView | undefined;
  readonly value: string | undefined;
}

/** A commit as the client asked for it; `view` when a transaction asks. */
export interface AskedWrite {
  readonly kind: WrittenOperation['kind'];
  readonly keys: readonly string[];
  readonly deadline: number | undefined;
  readonly view: TraceView | undefined;
}

/** Stands for "never", above every time of the trace's clock. */
export const TRACE_CLOCK_MAX = 1000;
const NEVER = TRACE_CLOCK_MAX + 1;

function writeOf(kind: string, keys: readonly string[], deadline: number | undefined): TraceValue {
  return { keys: new Set(keys), kind, deadline: deadline ?? NEVER };
}

/** Collects the events of one run. */
export class MvccTrace {
  private readonly log = new EventLog();
  private readonly sequences = new Map<string, number>();
  private asked: AskedWrite | undefined;
  private covered = 0;
  private durable = 0;
  private readonly allKeys: readonly string[];
  private shape = { frozen: 0, runs: 0, treeBuild: 0, merging: undefined as number | undefined };

  constructor(allKeys: readonly string[]) {
    this.allKeys = allKeys;
  }

  get events(): readonly TraceEvent[] {
    return this.log.events;
  }

  /** What the client asks for in its next call. */
  ask(write: AskedWrite | undefined): void {
    this.asked = write;
  }

  /** A record went to the file. */
  appended(record: WrittenRecord): void {
    const [first] = record.operations;
    const keys = first.kind === 'clear' ? this.allKeys : record.operations.map(({ key }) => key);
    const uniform = record.operations.every((one) => one.kind === first.kind && one.deadline === first.deadline);
    const w = writeOf(uniform ? first.kind : 'mixed', keys, first.deadline);
    const { asked } = this;
    const wanted = asked === undefined ? 'nothing' : writeOf(asked.kind, asked.keys, asked.deadline);
    for (const { value } of record.operations) this.sequences.set(value, record.sequence);
    const fields = { seq: record.sequence, w, asked: wanted };
    if (asked?.view === undefined) this.log.add('Put', fields);
    else this.log.add('TransactionCommit', { ...fields, x: viewOf(asked.view) });
    this.covered = record.sequence;
  }

  /** Where the log ends now: what a sync that begins now covers. */
  get written(): number {
    return this.covered;
  }

  synced(sequence: number): void {
    if (sequence <= this.durable) return;
    this.durable = sequence;
    this.log.add('SyncTo', { durable: sequence });
  }

  published(sequence: number, answers: readonly TraceAnswer[]): void {
    this.log.add('Publish', { published: sequence, answers: this.answersOf(answers) });
  }

  froze(frozen: number, answers: readonly TraceAnswer[]): void {
    this.shape.frozen++;
    this.log.add('Freeze', { frozen, answers: this.answersOf(answers) });
  }

  flushed(frozen: number, runs: number, answers: readonly TraceAnswer[]): void {
    this.shape.frozen--;
    this.shape.runs++;
    this.log.add('Flush', { frozen, runs, answers: this.answersOf(answers) });
  }

  mergeBegan(count: number): void {
    this.shape.merging = count;
    this.log.add('MergeStart', { count });
  }

  merged(runs: number, treeBuild: number, answers: readonly TraceAnswer[]): void {
    this.shape = { ...this.shape, runs: this.shape.runs - (this.shape.merging ?? 0), merging: undefined, treeBuild };
    this.log.add('MergeEnd', { runs, answers: this.answersOf(answers) });
  }

  opened(view: TraceView): void {
    this.log.add('OpenSnapshot', { x: viewOf(view) });
  }

  released(view: TraceView): void {
    this.log.add('Release', { x: viewOf(view) });
  }

  /** A transaction was refused. */
  conflicted(write: AskedWrite, view: TraceView): void {
    this.log.add('Conflict', { x: viewOf(view), keys: new Set(write.keys) });
  }

  clockSet(time: number): void {
    this.log.add('ClockJumps', { time });
  }

  read(answer: TraceAnswer): void {
    this.log.add('Read', { answers: this.answersOf([answer]) });
  }

  /** The store was opened again; `manifest` is the one that the opening found: a swap may have outlived its process. */
  reopened(recovered: number, manifest: WrittenManifest, answers: readonly TraceAnswer[]): void {
    const { shape } = this;
    const frozen = manifest.segments.length - 1;
    if (frozen === shape.frozen + 1) this.froze(frozen, []);
    else if (frozen === shape.frozen - 1 && manifest.runCount === shape.runs + 1)
      this.flushed(frozen, manifest.runCount, []);
    // A merge of runs has ended where they are gone; a collection, which takes none, where the tree's build is another.
    const { merging, runs, treeBuild } = this.shape;
    const ended = merging === 0 ? manifest.treeBuild !== treeBuild : manifest.runCount < runs;
    if (merging !== undefined && ended) this.merged(manifest.runCount, manifest.treeBuild, []);
    this.shape = { ...this.shape, merging: undefined, treeBuild: manifest.treeBuild };
    this.log.add('Reopen', {
      recovered,
      frozen: manifest.segments.length - 1,
      runs: manifest.runCount,
      answers: this.answersOf(answers),
    });
    this.durable = recovered;
    this.covered = recovered;
  }

  private answersOf(answers: readonly TraceAnswer[]): TraceValue {
    return answers.map(({ key, view, value }): TraceValue => {
      const seq = value === undefined ? 0 : (this.sequences.get(value) ?? -1);
      return view === undefined
        ? { k: key, present: true, s: 0, now: 0, seq }
        : { k: key, present: false, s: view.sequence, now: view.now, seq };
    });
  }
}

function viewOf(view: TraceView): TraceValue {
  return { s: view.sequence, now: view.now };
}
