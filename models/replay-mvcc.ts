/**
 * Counterexamples of MVCC.tla, replayed against the real engine. After every call all that anybody can ask is compared
 * with a history of commits that the client keeps itself: reads at each snapshot and at present, conflicts, what is
 * durable, the order of levels, and which versions are stored.
 */
import { fromText } from '../src/base/bytes.ts';
import { isLightningError } from '../src/base/errors.ts';
import type { SnapshotView, Transaction, WriteOperation } from '../src/engine/index.ts';
import { ReplayMachine } from './replay-disk.ts';
import { type Observed, type Replay } from './replay-verdict.ts';
import type { ModelState } from './state-graph.ts';

/** A commit, as MVCC.tla has it. */
interface Commit {
  readonly keys: readonly string[];
  readonly kind: string;
  readonly deadline: number;
  readonly seq: number;
}

interface Reader {
  readonly s: number;
  readonly now: number;
}

/** A state of MVCC.tla, as far as its steps are told from it. */
export interface MvccState {
  readonly log: readonly Commit[];
  readonly durable: number;
  readonly published: number;
  readonly frozen: readonly unknown[];
  readonly live: readonly Reader[];
  readonly clock: number;
  readonly merge: { readonly running: boolean };
  readonly reopens: number;
}

type Call =
  | { readonly call: 'put'; readonly write: Commit; readonly isHeavy: boolean; readonly syncs: boolean }
  | { readonly call: 'open-snapshot'; readonly reader: Reader; readonly commits: boolean }
  | { readonly call: 'release'; readonly reader: Reader }
  | { readonly call: 'commit'; readonly reader: Reader; readonly write: Commit }
  | { readonly call: 'clock'; readonly time: number }
  | { readonly call: 'reopen'; readonly loses: boolean }
  | { readonly call: 'sync-begin' | 'sync-end' | 'flush' | 'rotate' | 'flush-oldest' | 'merge-begin' | 'merge-end' };

const MEMTABLE_BYTES = 8000;
const HEAVY_BYTES = 9000;
const NEVER = 3;

const isSame = (a: Reader, b: Reader): boolean => a.s === b.s && a.now === b.now;

/** The step from one state to the next, as a call of the engine's client. */
function callOf(states: readonly MvccState[], i: number): Call | undefined {
  const [a, b] = [states[i - 1], states[i]];
  const write = b.log[b.log.length - 1];
  const opened = b.live.find((one) => !a.live.some((other) => isSame(one, other)));
  const ended = a.live.find((one) => !b.live.some((other) => isSame(one, other)));
  if (b.reopens > a.reopens) return { call: 'reopen', loses: b.log.length < a.log.length };
  if (b.log.length > a.log.length) {
    if (ended !== undefined) return { call: 'commit', reader: ended, write };
    // An fsync that ends after the next commit and does not cover it began before it.
    const later = states.slice(i).findIndex((one) => one.log.length > b.log.length);
    const syncs = later > 0 && states.slice(i + later).some((one) => one.durable === b.log.length);
    return { call: 'put', write, isHeavy: rotatesAlone(states, i), syncs };
  }
  if (b.frozen.length > a.frozen.length) return flushes(states, i + 1) ? { call: 'flush' } : { call: 'rotate' };
  if (b.frozen.length < a.frozen.length)
    return flushes(states, i) && freezes(states, i - 1) ? undefined : { call: 'flush-oldest' };
  // One that does not cover the last commit began behind the one that it covers.
  if (b.durable > a.durable) return b.durable === b.log.length ? { call: 'sync-begin' } : undefined;
  if (b.published > a.published) return { call: 'sync-end' };
  if (b.merge.running !== a.merge.running) return { call: b.merge.running ? 'merge-begin' : 'merge-end' };
  if (opened !== undefined) return { call: 'open-snapshot', reader: opened, commits: willCommit(states, i, opened) };
  if (ended !== undefined) return { call: 'release', reader: ended };
  return b.clock === a.clock ? undefined : { call: 'clock', time: b.clock };
}

const freezes = (states: readonly MvccState[], i: number): boolean =>
  i > 0 && i < states.length && states[i].frozen.length > states[i - 1].frozen.length;
const flushes = (states: readonly MvccState[], i: number): boolean =>
  i > 0 && i < states.length && states[i].frozen.length < states[i - 1].frozen.length;

/** Whether the next freeze is not part of a flush: the engine freezes with the next commit, when the memtable is full. */
function rotatesAlone(states: readonly MvccState[], from: number): boolean {
  for (let i = from + 1; i < states.length; i++) {
    if (freezes(states, i)) return !flushes(states, i + 1) || states[i].frozen.length > 1;
    if (states[i].log.length > states[i - 1].log.length) return false;
  }
  return false;
}

function willCommit(states: readonly MvccState[], from: number, reader: Reader): boolean {
  for (let i = from + 1; i < states.length; i++) {
    if (states[i].live.some((one) => isSame(one, reader))) continue;
    return states[i].log.length > states[i - 1].log.length;
  }
  return false;
}

/** The calls of a counterexample. */
export function mvccCalls(states: readonly MvccState[]): Call[] {
  return states.flatMap((_, i) => (i === 0 ? [] : (callOf(states, i) ?? [])));
}

function describe(call: Call): string {
  if ('write' in call) return `${call.call} ${call.write.kind} ${call.write.keys.join(' ')}`;
  return 'time' in call ? `${call.call} ${call.time}` : call.call;
}

interface OpenReader {
  readonly reader: Reader;
  readonly view: SnapshotView;
  readonly transaction: Transaction | undefined;
}

class MvccRun {
  private readonly machine = new ReplayMachine({ memtableBytes: MEMTABLE_BYTES, sliceBytes: 1 });
  private readonly keys: readonly string[];
  private history: Commit[] = [];
  private readers: OpenReader[] = [];
  private versionsMax = Infinity;
  private readonly observed: Observed[] = [];

  constructor(keys: readonly string[]) {
    this.keys = keys;
    this.machine.open();
    this.machine.settle();
  }

  private see(invariant: string, text: string): void {
    if (!this.observed.some((one) => one.invariant === invariant)) this.observed.push({ invariant, text });
  }

  run(calls: readonly Call[], wanted: string): readonly Observed[] {
    for (const call of calls) {
      try {
        this.carryOut(call);
        this.compare();
      } catch (error) {
        if (!isLightningError(error, 'LIGHTNING_ASSERTION')) throw error;
        this.see('TypeOK', error.message);
      }
      if (this.observed.some(({ invariant }) => invariant === wanted)) break;
    }
    return this.observed;
  }

  private carryOut(call: Call): void {
    const { machine } = this;
    const { engine } = machine;
    if (call.call === 'put') this.put(call.write, call.isHeavy, call.syncs);
    else if (call.call === 'open-snapshot') this.openSnapshot(call.reader, call.commits);
    else if (call.call === 'release') this.release(call.reader);
    else if (call.call === 'commit') this.commitTransaction(call.reader, call.write);
    else if (call.call === 'clock') machine.clock.set(call.time);
    else if (call.call === 'reopen') this.reopen(call.loses);
    else if (call.call === 'sync-begin') this.syncBegin();
    else if (call.call === 'sync-end') this.syncEnd();
    else if (call.call === 'flush') engine.flush();
    else if (call.call === 'rotate') this.put({ keys: ['other'], kind: 'put', deadline: NEVER, seq: 0 }, true, false);
    else if (call.call === 'flush-oldest') {
      const { runCount } = engine.statistics();
      while (engine.statistics().runCount === runCount) engine.step();
    } else if (call.call === 'merge-begin') this.mergeBegin();
    else while (engine.pendingWork() === 'merge') engine.step();
  }

  private operations({ keys, kind, deadline }: Commit, bytes: number): WriteOperation[] {
    if (kind === 'clear') return [{ type: 'clear', start: new Uint8Array(0), end: undefined }];
    return keys.map((key): WriteOperation => {
      if (kind === 'delete') return { type: 'delete', key: fromText(key) };
      const value = fromText(`v${this.machine.engine.written + 1}`.padEnd(bytes, '.'));
      const put = { type: 'put', key: fromText(key), value } as const;
      return deadline >= NEVER ? put : { ...put, deadline };
    });
  }

  private put(write: Commit, isHeavy: boolean, syncs: boolean): void {
    const seq = this.machine.engine.commit(this.operations(write, isHeavy ? HEAVY_BYTES : 0));
    this.history.push({ ...write, seq });
    if (syncs) this.syncBegin();
  }

  private syncBegin(): void {
    const { engine } = this.machine;
    const ticket = engine.syncBegin();
    ticket?.wal.file.syncAsync((error) => engine.syncEnd(ticket, error));
  }

  /** An fsync ends, and what it covers is published; where none was under way, the engine is asked to publish. */
  private syncEnd(): void {
    const { engine } = this.machine;
    const { published } = engine;
    this.machine.completeSyncs();
    if (engine.published === published && this.history.length === 0) engine.sync();
  }

  private openSnapshot(reader: Reader, commits: boolean): void {
    const { engine } = this.machine;
    const transaction = commits ? engine.begin() : undefined;
    this.readers.push({ reader, transaction, view: transaction?.view ?? engine.openSnapshot() });
  }

  private take(reader: Reader): OpenReader | undefined {
    const found = this.readers.find((one) => isSame(one.reader, reader));
    this.readers = this.readers.filter((one) => one !== found);
    return found;
  }

  private release(reader: Reader): void {
    const found = this.take(reader);
    if (found !== undefined) this.machine.engine.releaseSnapshot(found.view);
  }

  /** First committer wins: the commit must be refused when the history holds a newer version. */
  private commitTransaction(reader: Reader, write: Commit): void {
    const found = this.take(reader);
    if (found?.transaction === undefined) return;
    for (const operation of this.operations(write, 0)) found.transaction.write(operation);
    const mustLose = write.keys.some((key) => this.isNewer(key, found.view.sequence));
    try {
      const seq = this.machine.engine.commitTransaction(found.transaction);
      this.history.push({ ...write, seq });
      if (mustLose)
        this.see('FirstCommitterWins', `a commit over a newer version of ${write.keys.join(' ')} was let through`);
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_CONFLICT')) throw error;
      if (!mustLose) this.see('ConflictEvidence', 'a conflict that the history does not know');
    }
  }

  /** The merge stops behind its last slice, before anything of it is installed. */
  private mergeBegin(): void {
    const { engine } = this.machine;
    this.versionsMax = this.readers.length + 1;
    engine.isMergeWanted = true;
    engine.step();
  }

  private reopen(loses: boolean): void {
    const { machine } = this;
    if (loses) machine.cut('');
    else machine.kill();
    this.readers = [];
    machine.open();
    this.history = this.history.filter(({ seq }) => seq <= machine.engine.published);
  }

  private isNewer(key: string, s: number): boolean {
    return this.history.some((one) => one.seq > s && one.keys.includes(key));
  }

  /** Rule 2 on the history. */
  private newest(key: string, s: number): Commit | undefined {
    return this.history.findLast((one) => one.seq <= s && one.keys.includes(key));
  }

  private expected(
    key: string,
    { sequence, now }: { readonly sequence: number; readonly now: number },
  ): string | undefined {
    const version = this.newest(key, sequence);
    const isGone =
      version === undefined || version.kind !== 'put' || (version.deadline < NEVER && version.deadline <= now);
    return isGone ? undefined : `v${version.seq}`;
  }

  private compare(): void {
    const { engine } = this.machine;
    const probe = engine.openSnapshot();
    engine.releaseSnapshot(probe);
    const views = [...this.readers.map(({ view }) => view), probe];
    for (const view of views) {
      const isPresent = view === probe;
      if (view.sequence > engine.durableSequence) {
        this.see('PublishedIsDurable', `commit ${view.sequence} is read, and ${engine.durableSequence} is durable`);
      }
      for (const key of this.keys) {
        const value = engine.get(fromText(key), isPresent ? undefined : view);
        const found = value === undefined ? undefined : new TextDecoder().decode(value).replaceAll('.', '');
        const wanted = this.expected(key, view);
        const where = `${key} at (${view.sequence}, ${view.now})`;
        if (found !== wanted) {
          this.see(
            isPresent ? 'CurrentReads' : 'SnapshotReads',
            `${where} is ${found ?? 'absent'}, not ${wanted ?? 'absent'}`,
          );
        }
        const conflict = engine.changedSince(view, fromText(key));
        if (conflict !== this.isNewer(key, view.sequence)) {
          this.see(
            'ConflictEvidence',
            `whether ${where} has changed since is answered with ${conflict ? 'yes' : 'no'}`,
          );
        }
      }
    }
    try {
      engine.checkInvariants();
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_ASSERTION')) throw error;
      this.see('Layout', error.message);
    }
    if (engine.statistics().treeBlocks > 0) this.compareVersions(views);
  }

  /** Which versions are stored: all that somebody sees, unless it is gone for all; and not more than there are readers. */
  private compareVersions(views: readonly SnapshotView[]): void {
    const { engine } = this.machine;
    const stored = new Map<string, number[]>();
    const cursor = engine.versions();
    for (cursor.first(); cursor.valid; cursor.next()) {
      const key = new TextDecoder().decode(cursor.key());
      stored.set(key, [...(stored.get(key) ?? []), cursor.sequence]);
    }
    const oldest = Math.min(...views.map(({ sequence }) => sequence));
    for (const key of this.keys) {
      const there = stored.get(key) ?? [];
      if (there.length > this.versionsMax) {
        this.see('TreeIsBounded', `${there.length} versions of ${key} for ${this.versionsMax} readers`);
      }
      for (const { sequence, now } of views) {
        const version = this.newest(key, sequence);
        if (version === undefined || version.kind === 'clear' || there.includes(version.seq)) continue;
        const isGone = version.kind === 'delete' || (version.deadline < NEVER && version.deadline <= now);
        if (!isGone || version.seq > oldest) this.see('VersionsSuffice', `version ${version.seq} of ${key} is missing`);
      }
    }
  }
}

/** Replays one counterexample. @param wanted the invariant that it violates in the model */
export function replayMvcc(states: readonly ModelState[], wanted: string): Replay {
  const typed = states as unknown as readonly MvccState[];
  const calls = mvccCalls(typed);
  const keys = [...new Set(typed.flatMap(({ log }) => log.flatMap((one) => one.keys)))];
  const observed = new MvccRun(keys.length === 0 ? ['a'] : keys).run(calls, wanted);
  return { calls: calls.map(describe), runs: 1, observed };
}
