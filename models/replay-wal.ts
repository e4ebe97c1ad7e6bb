/**
 * Counterexamples of WALRecovery.tla, replayed against the real engine: its states say what the client and the machine
 * do, the engine does whatever it does, and what comes back is held against what was acknowledged.
 */
import { fromText } from '../src/base/bytes.ts';
import { isLightningError } from '../src/base/errors.ts';
import type { SyncTicket } from '../src/engine/index.ts';
import { Moments, ReplayMachine } from './replay-disk.ts';
import { type Observed, type Replay } from './replay-verdict.ts';
import type { ModelState } from './state-graph.ts';

/** `heavy`: the memtable is full behind it, so that the next commit rotates. */
type Call = 'commit' | 'heavy' | 'syncBegin' | 'syncEnd' | 'acknowledge' | 'flush' | 'open' | 'kill' | 'cut';

const LIGHT_BYTES = 1200;
const HEAVY_BYTES = 9000;
/** Between what a counterexample's light commits weigh and one heavy commit. */
const MEMTABLE_BYTES = 8000;

/** What the step from one state to the next is, in the words of the engine's client; nothing for steps of its own. */
function callOf(a: ModelState, b: ModelState): Call | 'rotate' | undefined {
  const number = (state: ModelState, name: string): number => Number(state[name]);
  const changed = (name: string): boolean => JSON.stringify(a[name]) !== JSON.stringify(b[name]);
  if (number(b, 'crashes') > number(a, 'crashes')) {
    return changed('files') || changed('manifest') || changed('run') ? 'cut' : 'kill';
  }
  if (number(b, 'nextId') > number(a, 'nextId')) return 'commit';
  if (b['phase'] === 'created') return 'rotate';
  if (b['phase'] === 'read') return 'open';
  if (a['phase'] !== 'running' || b['phase'] !== 'running') return undefined;
  if (number(b, 'syncing') > 0 && number(a, 'syncing') === 0) return 'syncBegin';
  if (number(b, 'syncing') === 0 && number(a, 'syncing') > 0) return 'syncEnd';
  if (number(b, 'flushes') > number(a, 'flushes')) return 'flush';
  return number(b, 'floor') > number(a, 'floor') ? 'acknowledge' : undefined;
}

/** The calls of a counterexample. A rotation is part of the commit behind it; where there is none, one is added. */
export function walCalls(states: readonly ModelState[]): Call[] {
  const calls: Call[] = [];
  let isRotating = false;
  for (let i = 1; i < states.length; i++) {
    const call = callOf(states[i - 1], states[i]);
    if (call === undefined) continue;
    if (call === 'rotate') {
      calls[calls.lastIndexOf('commit')] = 'heavy';
      isRotating = true;
      continue;
    }
    if (isRotating && call !== 'commit' && call !== 'syncBegin' && call !== 'syncEnd') calls.push('commit');
    isRotating = false;
    calls.push(call);
  }
  if (isRotating) calls.push('commit');
  return calls;
}

class WalRun {
  private readonly machine: ReplayMachine;
  private written = 0;
  private acknowledged = 0;
  private recoveredFrom: readonly string[] = [];
  private ticket: SyncTicket | undefined;
  private readonly observed: Observed[] = [];

  constructor(moments: Moments) {
    this.machine = new ReplayMachine({ memtableBytes: MEMTABLE_BYTES }, moments);
    this.machine.open();
    this.machine.settle();
    this.machine.onStep = (step, value) => {
      if (step === 'publish') this.acknowledged = Math.max(this.acknowledged, value);
    };
    this.machine.onFile = ({ operation, path }) => {
      if (operation !== 'write' || !this.recoveredFrom.includes(path)) return;
      this.see('NeverAppendsToRecovered', `${path} was there when recovery began, and is written on`);
    };
  }

  private see(invariant: string, text: string): void {
    if (!this.observed.some((one) => one.invariant === invariant)) this.observed.push({ invariant, text });
  }

  /** What contradicts the model in this run. */
  run(calls: readonly Call[]): readonly Observed[] {
    const { machine } = this;
    for (const [index, call] of calls.entries()) {
      if (call === 'kill') machine.kill();
      else if (call === 'cut') {
        if (!machine.cut(`${index} ${this.acknowledged}`)) return [];
      } else {
        const next = calls.at(index + 1);
        const work = (): void => this.carryOut(call);
        if (next === 'kill' || next === 'cut') machine.untilStopped(work);
        else work();
      }
      if (this.observed.length > 0) return this.observed;
    }
    if (!machine.isRunning) this.open();
    // The store goes on, and its next commit shows where it writes.
    if (this.observed.length === 0) this.carryOut('commit');
    return this.observed;
  }

  private carryOut(call: Call): void {
    const { machine } = this;
    try {
      if (call === 'open') this.open();
      else if (call === 'commit' || call === 'heavy') this.commit(call === 'heavy' ? HEAVY_BYTES : LIGHT_BYTES);
      else if (call === 'syncBegin') this.syncBegin();
      else if (call === 'syncEnd') this.syncEnd();
      else if (call === 'acknowledge') machine.engine.sync();
      else while (machine.engine.pendingWork() === 'flush') machine.engine.step();
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_ASSERTION')) throw error;
      this.see('TypeOK', error.message);
    }
  }

  private commit(bytes: number): void {
    const number = ++this.written;
    this.machine.engine.commit([
      { type: 'put', key: fromText(`b${number}`), value: fromText(`v${number}`) },
      // Behind the other one, so that a tear leaves whole operations.
      { type: 'put', key: fromText(`a${number}`), value: fromText(`v${number}`.padEnd(bytes, '.')) },
    ]);
  }

  private syncBegin(): void {
    const { engine } = this.machine;
    this.ticket = engine.syncBegin();
    const { ticket } = this;
    if (ticket === undefined) return;
    ticket.wal.file.syncAsync((error) => engine.syncEnd(ticket, error));
  }

  private syncEnd(): void {
    this.machine.completeSyncs();
    this.ticket = undefined;
  }

  private open(): void {
    const { machine } = this;
    this.recoveredFrom = machine.segments();
    try {
      machine.open();
    } catch (error) {
      if (!isLightningError(error)) throw error;
      this.see('NoFalseAlarm', `opening is refused: ${error.message}`);
      if (this.acknowledged > 0) this.see('NothingAcknowledgedIsLost', `opening is refused: ${error.message}`);
      return;
    }
    this.compare();
  }

  /** What came back: each commit whole or not at all, a prefix, and all that was acknowledged. */
  private compare(): void {
    const { machine, written, acknowledged } = this;
    let count = 0;
    for (let number = 1; number <= written; number++) {
      const [first, second] = [machine.read(`a${number}`), machine.read(`b${number}`)];
      const isThere = first?.replaceAll('.', '') === `v${number}` && second === `v${number}`;
      const isAbsent = first === undefined && second === undefined;
      if (!isThere && !isAbsent) this.see('BatchesAreWhole', `of commit ${number} a part came back`);
      if (isThere && count < number - 1) this.see('RecoveredIsPrefix', `commit ${number} came back, one before it not`);
      if (isThere) count++;
    }
    if (count < acknowledged) {
      this.see('NothingAcknowledgedIsLost', `${acknowledged} commits were acknowledged, ${count} came back`);
    }
    // What was not acknowledged and did not come back was never made.
    this.written = count;
    this.acknowledged = count;
  }
}

/**
 * Replays one counterexample, at every moment and with every disk.
 * @param wanted the invariant that it violates in the model; once that is seen, nothing else is looked for
 */
export function replayWal(states: readonly ModelState[], wanted: string): Replay {
  const calls = walCalls(states);
  const moments = new Moments();
  const observed = new Map<string, Observed>();
  let runs = 0;
  do {
    runs++;
    for (const one of new WalRun(moments).run(calls)) observed.set(one.invariant, observed.get(one.invariant) ?? one);
  } while (!observed.has(wanted) && moments.next());
  return { calls, runs, observed: [...observed.values()] };
}
