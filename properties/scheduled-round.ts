/**
 * Transactions on the asynchronous face of the database whose every step waits until a scheduler lets it go on. What the
 * clients saw is a history, and the checker says whether it is one of the level.
 */
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import { type Access, type CheckedLevel, checkIsolationLevel, HistoryRecorder } from '../src/checkers/index.ts';
import { Database, type DatabaseTransaction, type Isolation } from '../src/database/index.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { Objection } from './program-check.ts';

/** How transactions keep apart: by their level, or by locks alone, at the level that validates nothing. */
export const MODES = ['snapshot', 'serializable', 'locks'] as const;
export const KEYS = ['x', 'y'] as const;
export const MAINTENANCE = ['none', 'flush', 'compact'] as const;

/** A read, or a read and then a write, of a key. */
export interface ScheduledStep {
  readonly key: (typeof KEYS)[number];
  readonly writes: boolean;
}

/** What runs at once: clients with a transaction each, and plain puts that are asked for together. */
export interface ScheduledPlan {
  readonly mode: (typeof MODES)[number];
  readonly clients: readonly (readonly ScheduledStep[])[];
  readonly puts: readonly (typeof KEYS)[number][];
  /** Work of the engine that goes on meanwhile, in its own steps. */
  readonly maintenance: (typeof MAINTENANCE)[number];
}

/** Lets one of those that wait go on; what `fc.scheduler` gives. */
export interface StepScheduler {
  schedule<T>(task: Promise<T>, label: string): Promise<T>;
  count(): number;
  waitNext(count: number): Promise<void>;
}

/** What a round showed. */
export interface ScheduledResult {
  readonly objection: Objection | undefined;
  /** What was done, in its order. */
  readonly told: readonly string[];
  /** Steps of clients and puts. */
  readonly operations: number;
  readonly conflicts: number;
  /** False when the checker could not tell. */
  readonly isDecided: boolean;
}

const LEVELS: Readonly<Record<ScheduledPlan['mode'], readonly [isolation: Isolation, kept: CheckedLevel]>> = {
  snapshot: ['snapshot', 'strong-snapshot-isolation'],
  serializable: ['serializable', 'strict-serializable'],
  locks: ['read-committed', 'strict-serializable'],
};
/** Steps without an end of the round after which nothing will end it; a round takes some tens. */
const STEPS_MAX = 2000;

/** Runs a plan in the order that the scheduler chooses. */
export async function runScheduledRound(plan: ScheduledPlan, scheduler: StepScheduler): Promise<ScheduledResult> {
  return new Round(plan, scheduler).run();
}

class Round {
  private readonly plan: ScheduledPlan;
  private readonly scheduler: StepScheduler;
  private readonly recorder = new HistoryRecorder(new ManualClock(0));
  private readonly disk = new SimulatedDisk({ syncCompletion: 'manual' });
  private readonly database: Database;
  private readonly told: string[] = [];
  private running: number;
  private operations = 0;
  private failure: unknown;
  private isDecided = true;

  constructor(plan: ScheduledPlan, scheduler: StepScheduler) {
    this.plan = plan;
    this.scheduler = scheduler;
    this.running = plan.clients.length + plan.puts.length + (plan.maintenance === 'none' ? 0 : 1);
    this.database = Database.openOn(this.disk, { clock: new ManualClock(0), random: () => 0 });
  }

  async run(): Promise<ScheduledResult> {
    const { plan } = this;
    // All puts are asked for in one go: only then does the fsync overlap what the others do.
    const together = plan.puts.length === 0 ? undefined : this.pause('the plain puts begin');
    const work = [
      ...plan.clients.map(async (steps, client) => this.client(steps, client)),
      ...plan.puts.map(async (key, i) => together?.then(async () => this.plainPut(key, plan.clients.length + i))),
    ];
    for (const one of work) this.counted(one);
    if (plan.maintenance !== 'none') this.counted(this.maintain(plan.maintenance));
    let turnIsDue = false;
    this.counted(this.surroundings('a turn of the event loop', () => (turnIsDue = true)));
    this.counted(this.surroundings('the disk ends its fsyncs', () => this.disk.completeSyncs()));
    for (let steps = 0; this.running > 0 && steps < STEPS_MAX; steps++) {
      if (this.scheduler.count() > 0) await this.scheduler.waitNext(1);
      else turnIsDue = true;
      // Without one, everything else goes on in microtasks alone.
      if (turnIsDue) await turn();
      turnIsDue = false;
    }
    const isStuck = this.running > 0;
    if (!isStuck) await this.readAtEnd();
    const { conflicts } = this.database.statistics();
    const objection = isStuck
      ? { class: 'lock-stuck', message: `${this.running} clients wait for ever` }
      : this.judge();
    this.database.closeSync();
    return { objection, told: this.told, operations: this.operations, conflicts, isDecided: this.isDecided };
  }

  private counted(work: Promise<void>): void {
    work
      .catch((error: unknown) => (this.failure ??= error))
      .finally(() => undefined)
      .catch(() => undefined);
  }

  private async pause(label: string): Promise<void> {
    await this.scheduler.schedule(Promise.resolve(), label);
  }

  private async surroundings(label: string, act: () => unknown): Promise<void> {
    while (this.running > 0) {
      await this.pause(label);
      act();
    }
  }

  private tell(client: number, what: string): void {
    this.operations++;
    this.told.push(`client ${client}: ${what}`);
  }

  private async client(steps: readonly ScheduledStep[], client: number): Promise<void> {
    const accesses: Access[] = [];
    await this.pause(`client ${client} begins`);
    const id = this.recorder.call(client, 'transaction');
    const [isolation] = LEVELS[this.plan.mode];
    const transaction = this.database.begin({ isolation });
    let outcome: 'ok' | 'failed' = 'ok';
    try {
      for (const [at, step] of steps.entries()) {
        await this.pause(`client ${client}, step ${at}`);
        accesses.push(...(await this.step(transaction, step, client, `${client}.${at}`)));
      }
      await this.pause(`client ${client} commits`);
      this.tell(client, 'commit');
      await transaction.commit();
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.told.push(`client ${client}: refused, ${error.code}`);
      outcome = 'failed';
    } finally {
      transaction.abort();
      this.running--;
    }
    this.recorder.return(client, id, outcome, [], { accesses });
  }

  private async step(
    transaction: DatabaseTransaction,
    { key, writes }: ScheduledStep,
    client: number,
    value: string,
  ): Promise<Access[]> {
    const bytes = Buffer.from(key);
    this.tell(client, `${writes ? 'read and write' : 'read'} ${key} (${this.plan.mode})`);
    const read = await (this.plan.mode === 'locks' ? transaction.getForUpdate(bytes) : transaction.get(bytes));
    const accesses: Access[] = [{ kind: 'read', key, value: textOf(read) }];
    if (!writes) return accesses;
    transaction.put(bytes, Buffer.from(value));
    return [...accesses, { kind: 'write', key, value }];
  }

  private async plainPut(key: string, client: number): Promise<void> {
    const value = `put ${client}`;
    this.tell(client, `put ${key}`);
    const id = this.recorder.call(client, 'transaction');
    await this.database.put(Buffer.from(key), Buffer.from(value));
    this.recorder.return(client, id, 'ok', [], { accesses: [{ kind: 'write', key, value }] });
    this.running--;
  }

  private async maintain(kind: 'flush' | 'compact'): Promise<void> {
    await this.pause(`${kind} begins`);
    this.operations++;
    this.told.push(kind);
    await this.database[kind]();
    this.running--;
  }

  /** A last reader, after everybody: it sees what came last of all. */
  private async readAtEnd(): Promise<void> {
    const client = this.plan.clients.length + this.plan.puts.length;
    const id = this.recorder.call(client, 'transaction');
    const accesses: Access[] = [];
    for (const key of KEYS)
      accesses.push({ kind: 'read', key, value: textOf(await this.database.get(Buffer.from(key))) });
    this.recorder.return(client, id, 'ok', [], { accesses });
  }

  private judge(): Objection | undefined {
    if (this.failure !== undefined)
      return { class: 'unexpected-error', message: `a client got ${String(this.failure)}` };
    const { transactionCount, lockCount, lockWaiters, snapshotCount } = this.database.statistics();
    const left = transactionCount + lockCount + lockWaiters + snapshotCount;
    if (left > 0) return { class: 'leak', message: `${left} transactions, locks or snapshots are left` };
    const [, kept] = LEVELS[this.plan.mode];
    const verdict = checkIsolationLevel(this.recorder.history(), kept);
    if (verdict.verdict === 'invalid') return { class: verdict.class, message: verdict.message };
    this.isDecided = verdict.verdict === 'valid';
    return undefined;
  }
}

function isRefused(error: unknown): error is Error & { readonly code: string } {
  return isLightningError(error, 'LIGHTNING_CONFLICT') || isLightningError(error, 'LIGHTNING_DEADLOCK');
}

function textOf(value: Uint8Array | undefined): string | null {
  return value === undefined ? null : Buffer.from(value).toString();
}

async function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
