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
  readonly log: EventLog = new EventLog();
  private live: readonly TraceView[] = [];
  private readonly sequences = new Map<string, number>();
  private asked: AskedWrite | undefined;
  private covered = 0;
  private durable = 0;
  private readonly allKeys: readonly string[];
  /** The manifest as the last step that was told left it, and one that was named since. */
  private settled: WrittenManifest;
  private named: WrittenManifest | undefined;

  constructor(allKeys: readonly string[], manifest: WrittenManifest) {
    this.allKeys = allKeys;
    this.settled = manifest;
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
    const wanted = asked === undefined ? writeOf('nothing', [], 0) : writeOf(asked.kind, asked.keys, asked.deadline);
    for (const { value } of record.operations) this.sequences.set(value, record.sequence);
    const fields = { seq: record.sequence, w, asked: wanted };
    if (asked?.view === undefined) this.log.add('Put', fields);
    else this.log.add('TransactionCommit', { ...fields, ...this.ended(asked.view), conflict: false });
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
    this.log.add('Publish', { published: sequence, ...this.answersOf(answers) });
  }

  /** A manifest got its name; the engine has yet to say what for. */
  manifestNamed(manifest: WrittenManifest): void {
    this.named = manifest;
  }

  private settle(): void {
    this.settled = this.named ?? this.settled;
    this.named = undefined;
  }

  froze(frozen: number, answers: readonly TraceAnswer[]): void {
    this.settle();
    this.log.add('Freeze', { frozen, ...this.answersOf(answers) });
  }

  flushed(frozen: number, runs: number, answers: readonly TraceAnswer[]): void {
    this.settle();
    this.log.add('Flush', { frozen, runs, ...this.answersOf(answers) });
  }

  /** @param left runs that the merge does not take, as the engine counts them */
  mergeBegan(count: number, left: number): void {
    this.log.add('MergeStart', { count, left });
  }

  merged(runs: number, answers: readonly TraceAnswer[]): void {
    this.settle();
    this.log.add('MergeEnd', { runs, ...this.answersOf(answers) });
  }

  opened(view: TraceView): void {
    this.live = [...this.live, view];
    this.log.add('OpenSnapshot', { x: viewOf(view) });
  }

  /** Whether a view has begun and not ended. */
  isLive(view: TraceView): boolean {
    return this.live.some((one) => one.sequence === view.sequence && one.now === view.now);
  }

  /** A view ends; the others are logged with it. */
  private ended(view: TraceView): { readonly x: TraceValue; readonly left: TraceValue } {
    this.live = this.live.filter((one) => one.sequence !== view.sequence || one.now !== view.now);
    return { x: viewOf(view), left: new Set(this.live.map(viewOf)) };
  }

  released(view: TraceView): void {
    this.log.add('Release', this.ended(view));
  }

  /** A transaction was refused. `written`: the keys that it says it would have written. */
  conflicted(write: AskedWrite, view: TraceView, written: readonly string[]): void {
    const keys = new Set(write.keys);
    this.log.add('Conflict', { ...this.ended(view), keys, written: new Set(written), conflict: true });
  }

  /** @param now at which the engine reads from then on */
  clockSet(time: number, now: number): void {
    this.log.add('ClockJumps', { time, now });
  }

  /** Every key at one view. */
  read(answers: readonly TraceAnswer[]): void {
    this.log.add('Read', this.answersOf(answers));
  }

  /** The store was opened again; `found` is the manifest that the opening found: a swap may have outlived its process. */
  reopened(recovered: number, durable: number, found: WrittenManifest, answers: readonly TraceAnswer[]): void {
    const { settled, named } = this;
    const frozen = found.segments.length - 1;
    if (named !== undefined && sameStructure(found, named) && !sameStructure(found, settled)) {
      const more = named.segments.length - settled.segments.length;
      if (more > 0) this.froze(frozen, []);
      else if (more < 0) this.flushed(frozen, found.runs.length, []);
      else this.merged(found.runs.length, []);
    }
    this.settled = found;
    this.named = undefined;
    this.live = [];
    this.log.add('Reopen', { recovered, durable, frozen, runs: found.runs.length, ...this.answersOf(answers) });
    this.durable = durable;
    this.covered = recovered;
  }

  private answersOf(answers: readonly TraceAnswer[]): { readonly asks: TraceValue; readonly answers: TraceValue } {
    return {
      asks: answers.map(({ key, view }): TraceValue =>
        view === undefined
          ? { k: key, present: true, s: 0, now: 0 }
          : { k: key, present: false, s: view.sequence, now: view.now },
      ),
      answers: answers.map(({ value }) => (value === undefined ? 0 : (this.sequences.get(value) ?? -1))),
    };
  }
}

/** Recovery swaps the manifest, too, but changes none of these. */
function sameStructure(a: WrittenManifest, b: WrittenManifest): boolean {
  return a.segments.length === b.segments.length && a.runs.length === b.runs.length && a.treeBuild === b.treeBuild;
}

function viewOf(view: TraceView): TraceValue {
  return { s: view.sequence, now: view.now };
}
