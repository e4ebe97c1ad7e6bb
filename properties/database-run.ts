/**
 * Runs one program on the database over a simulated disk: each outcome against the executable specification, the index
 * against the rows, and what is open against what the program has open. A function of the program alone.
 */
import { compareBytes } from '../src/base/bytes.ts';
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { decodeBytes } from '../src/contract/bytes-text.ts';
import { CLOCK_START_MILLISECONDS } from '../src/contract/limits.ts';
import type { Operation, Program } from '../src/contract/operations.ts';
import { OK, type Outcome } from '../src/contract/outcomes.ts';
import { isReserved } from '../src/database/index-codec.ts';
import type { IndexDeclaration } from '../src/database/index.ts';
import { engineOptions } from '../src/drivers/lightning-store.ts';
import { RandomChooser } from '../src/faults/chooser.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { judgeRecovered } from '../spec/executable/durable-prefix.ts';
import { Interpreter } from '../spec/executable/interpreter.ts';
import { keyOfBytes } from '../spec/executable/keys.ts';
import { DatabaseSession } from './database-session.ts';
import type { Objection } from './program-check.ts';

/** How a program went. */
export interface DatabaseRun {
  readonly outcomes: readonly Outcome[];
  /** `undefined`: everything agreed. */
  readonly objection: Objection | undefined;
}

/** Rows stand under the first and the last byte of their values, each once; empty ones under nothing. */
const EDGES: IndexDeclaration = { name: 'edges', extract: (_, value) => edgesOf(value) };

function edgesOf(value: Uint8Array): Uint8Array[] {
  const edges = new Set([value.at(0), value.at(-1)]);
  return [...edges].flatMap((byte) => (byte === undefined ? [] : [Uint8Array.of(byte)]));
}

/** Whether a program's keys leave the place of indexes free. */
function leavesRoom(program: Program): boolean {
  const keys = program.operations.flatMap((operation) => {
    if (operation.kind === 'batch') return operation.operations.flatMap((step) => ('key' in step ? [step.key] : []));
    return 'key' in operation ? [operation.key] : [];
  });
  return keys.every((key) => !isReserved(decodeBytes(key)));
}

/** @param count told of what happened, where it happens */
export function runDatabaseProgram(
  program: Program,
  count: (name: string, by?: number) => void = () => undefined,
): DatabaseRun {
  return new Runner(program, count).run();
}

class Runner {
  private readonly program: Program;
  private readonly count: (name: string, by?: number) => void;
  private readonly crashes: Prng;
  private readonly indexed: boolean;
  private readonly outcomes: Outcome[] = [];
  private readonly oracle = new Interpreter({
    transactionSnapshotAt: 'first-read',
    acknowledges: 'synced',
    readsAreDurable: false,
    keyBytesMax: 65_535,
    valueBytesMax: 16 * 1024 * 1024,
  });
  private readonly session: DatabaseSession;
  private disk = new SimulatedDisk();

  constructor(program: Program, count: (name: string, by?: number) => void) {
    this.program = program;
    this.count = count;
    this.crashes = new Prng(typeof program.options['crashSeed'] === 'number' ? program.options['crashSeed'] : 1);
    this.indexed = program.options['indexed'] === true && leavesRoom(program);
    this.session = new DatabaseSession({
      vfs: this.disk,
      clock: new ManualClock(CLOCK_START_MILLISECONDS),
      options: { ...engineOptions(program.options), indexes: this.indexed ? [EDGES] : [] },
      cutPower: () => {
        this.disk = new SimulatedDisk({ image: this.disk.crashImage(new RandomChooser(this.crashes.fork())) });
        return this.disk;
      },
    });
  }

  run(): DatabaseRun {
    let objection: Objection | undefined;
    try {
      for (const operation of this.program.operations) {
        objection = this.step(operation) ?? this.handles() ?? this.index();
        if (objection !== undefined) break;
      }
    } catch (error) {
      objection = unexpected(error);
    }
    try {
      this.session.database.closeSync();
    } catch (error) {
      objection ??= unexpected(error);
    }
    this.count('programs');
    return { outcomes: this.outcomes, objection };
  }

  private step(operation: Operation): Objection | undefined {
    this.count('operations');
    const outcome = this.session.execute(operation);
    this.outcomes.push(outcome);
    if (operation.kind === 'reopen') this.oracle.apply({ kind: 'sync' }, OK);
    if (operation.kind === 'begin') this.count(`begun ${operation.isolation ?? 'snapshot'}`);
    if (operation.kind === 'commit' && outcome.kind === 'conflict') this.count('conflicts');
    const mismatch = this.oracle.judge(operation, outcome);
    if (mismatch !== undefined || operation.kind !== 'crash') return mismatch;
    this.count('crash recoveries');
    const rows = [...this.session.database.scanSync()];
    const recovered = new Map(rows.map(([key, value]) => [keyOfBytes(key), value]));
    const verdict = judgeRecovered(this.oracle.commits, recovered, this.oracle.time);
    if (verdict.kind === 'failed') return { class: verdict.class, message: verdict.message };
    if (verdict.kind === 'ok') this.oracle.adopt(verdict.included);
    return undefined;
  }

  /** What the program has ended leaves nothing open. */
  private handles(): Objection | undefined {
    const { openSnapshots, openTransactions, database } = this.session;
    const { snapshotCount, transactionCount, lockCount, openHandles } = database.statistics();
    const leaks =
      transactionCount !== openTransactions ||
      snapshotCount > openSnapshots + openTransactions ||
      openHandles !== openSnapshots ||
      lockCount > 0;
    if (!leaks) return undefined;
    return {
      class: 'leak',
      message: `${snapshotCount} snapshots, ${transactionCount} transactions and ${openHandles} handles are open; the program has ${openSnapshots} snapshots and ${openTransactions} transactions`,
    };
  }

  /** The index, against what the rows themselves say, both read now. */
  private index(): Objection | undefined {
    if (!this.indexed) return undefined;
    const rows = [...this.session.database.scanSync()];
    const expected = rows
      .flatMap(([key, value]) => edgesOf(value).map((edge): [Uint8Array, Uint8Array] => [edge, key]))
      .sort((a, b) => compareBytes(a[0], b[0]) || compareBytes(a[1], b[1]));
    const found = [...this.session.database.index('edges').scanSync()];
    this.count('index entries compared', found.length);
    const text = (entries: Iterable<Uint8Array[]>): string =>
      [...entries]
        .map(([edge, key]) => `${Buffer.from(edge).toString('hex')}:${Buffer.from(key).toString('hex')}`)
        .join(' ');
    if (text(expected) === text(found)) return undefined;
    return {
      class: 'index-mismatch',
      message: `the rows give ${expected.length} entries, the index has ${found.length}`,
    };
  }
}

function unexpected(error: unknown): Objection {
  if (isLightningError(error, 'LIGHTNING_CORRUPTION')) return { class: 'index-mismatch', message: error.message };
  if (isLightningError(error)) return { class: 'unexpected-error', message: `${error.code}: ${error.message}` };
  return {
    class: 'uncoded-error',
    message: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  };
}
