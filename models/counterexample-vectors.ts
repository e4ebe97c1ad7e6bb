/**
 * Counterexamples of MVCC.tla as conformance vectors, as far as a client that waits for each answer can carry them out. For
 * it a commit is one step with its fsync, so a snapshot that the model takes before a commit is published is taken before
 * that commit. Those with deadlines are left out.
 */
import type { Vector, VectorStep, VectorWrite } from '../src/workload/vectors.ts';
import { VECTOR_VERSION } from '../src/workload/vectors.ts';
import { mvccCalls, type MvccState } from './replay-mvcc.ts';
import type { Counterexample } from './replays.ts';

interface Commit {
  readonly keys: readonly string[];
  readonly kind: string;
}

interface OpenReader {
  readonly number: number;
  readonly s: number;
}

/** One history, and what everybody must see of it. */
class VectorHistory {
  readonly steps: VectorStep[] = [];
  private readonly keys: readonly string[];
  private readonly commits: Commit[] = [];
  private readers: OpenReader[] = [];
  private readerCount = 0;

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  get commitCount(): number {
    return this.commits.length;
  }

  private writes({ keys, kind }: Commit): VectorWrite[] {
    if (kind === 'clear') return [['clear']];
    return keys.map((key) => (kind === 'put' ? ['put', key, `v${this.commits.length + 1}`] : ['delete', key]));
  }

  /** A commit of its own; several keys go in a transaction that begins for it. */
  write(commit: Commit): void {
    const writes = this.writes(commit);
    if (writes.length === 1) this.steps.push(writes[0]);
    else {
      const number = ++this.readerCount;
      this.steps.push(['begin', number], ['commit', number, writes, ['ok']]);
    }
    this.commits.push(commit);
    this.see();
  }

  begin(s: number): void {
    const number = ++this.readerCount;
    this.readers.push({ number, s });
    this.steps.push(['begin', number]);
    this.see();
  }

  /** Whether a commit at `s` of these keys must be refused. */
  private loses(keys: readonly string[], s: number): boolean {
    return this.commits.slice(s).some((one) => one.keys.some((key) => keys.includes(key)));
  }

  commit(s: number, commit: Commit): void {
    const reader = this.readers.find((one) => one.s === s);
    if (reader === undefined) return;
    const loses = this.loses(commit.keys, s);
    this.steps.push(['commit', reader.number, this.writes(commit), [loses ? 'conflict' : 'ok']]);
    this.readers = this.readers.filter((one) => one !== reader);
    if (!loses) this.commits.push(commit);
    this.see();
  }

  structure(step: 'flush' | 'merge'): void {
    this.steps.push([step]);
    this.see();
  }

  private see(): void {
    for (const { number, s } of [{ number: 0, s: this.commits.length }, ...this.readers]) {
      const rows: Record<string, string> = {};
      for (const key of this.keys) {
        const place = this.commits.slice(0, s).findLastIndex((one) => one.keys.includes(key));
        if (place >= 0 && this.commits[place].kind === 'put') rows[key] = `v${place + 1}`;
      }
      this.steps.push(['see', number, [rows]]);
    }
  }

  /** Everybody who is left tries to write the first key. */
  finish(): void {
    const [key] = this.keys;
    for (const { number, s } of this.readers) {
      const loses = this.loses([key], s);
      this.steps.push(['commit', number, [['put', key, `last${number}`]], [loses ? 'conflict' : 'ok']]);
      if (!loses) this.commits.push({ keys: [key], kind: 'put' });
    }
  }
}

/** The vector of a counterexample; `undefined` where no such client can carry it out. */
export function counterexampleVector(name: string, { violates, states }: Counterexample): Vector | undefined {
  // Vectors know no serializable transactions.
  if (violates === 'CommitsAreSerializable') return undefined;
  const calls = mvccCalls(states as unknown as readonly MvccState[]);
  if (calls.some(({ call }) => call === 'clock') || !calls.some((call) => 'write' in call)) return undefined;
  const keys = [...new Set(calls.flatMap((call) => ('write' in call ? call.write.keys : [])))].toSorted();
  const history = new VectorHistory(keys);
  const waiting = calls.flatMap((call) => (call.call === 'open-snapshot' ? [call.reader.s] : []));
  const beginThoseAt = (s: number): void => {
    while (waiting.includes(s)) history.begin(...(waiting.splice(waiting.indexOf(s), 1) as [number]));
  };
  beginThoseAt(0);
  for (const call of calls) {
    if (call.call === 'put') history.write(call.write);
    else if (call.call === 'commit') history.commit(call.reader.s, call.write);
    else if (call.call === 'flush' || call.call === 'flush-oldest') history.structure('flush');
    else if (call.call === 'merge-end') history.structure('merge');
    beginThoseAt(history.commitCount);
  }
  history.finish();
  const about = `the counterexample of ${name}, which breaks ${violates} of the model`;
  return { version: VECTOR_VERSION, id: `counterexamples/${name.slice('MVCC.'.length)}`, about, steps: history.steps };
}
