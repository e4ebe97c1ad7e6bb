/**
 * Runs one program on the database over a simulated disk: each outcome against the executable specification, the index
 * against the rows, and what is open against what the program has open. A function of the program alone.
 */
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { decodeBytes } from '../src/contract/bytes-text.ts';
import { CLOCK_START_MILLISECONDS } from '../src/contract/limits.ts';
import type { Operation, Program } from '../src/contract/operations.ts';
import { OK, type Outcome } from '../src/contract/outcomes.ts';
import { isReserved } from '../src/database/index-codec.ts';
import type { DatabaseTransaction, IndexDeclaration, Snapshot } from '../src/database/index.ts';
import { engineOptions } from '../src/drivers/lightning-store.ts';
import { RandomChooser } from '../src/faults/chooser.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { judgeRecovered } from '../spec/executable/durable-prefix.ts';
import type { IndexRule } from '../spec/executable/indexes.ts';
import { Interpreter } from '../spec/executable/interpreter.ts';
import { bytesOfKey, keyOfBytes } from '../spec/executable/keys.ts';
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
/** So few values that most programs meet one that is taken. */
const RARE: IndexDeclaration = { name: 'rare', unique: true, extract: (_, value) => rareOf(value) };
/** The same in the terms of the specification. */
const RULES: readonly IndexRule[] = [
  { name: 'edges', unique: false, extract: (_, value) => edgesOf(value).map(keyOfBytes) },
  { name: 'rare', unique: true, extract: (_, value) => rareOf(value).map(keyOfBytes) },
];

function edgesOf(value: Uint8Array): Uint8Array[] {
  const edges = new Set([value.at(0), value.at(-1)]);
  return [...edges].flatMap((byte) => (byte === undefined ? [] : [Uint8Array.of(byte)]));
}

function rareOf(value: Uint8Array): Uint8Array[] {
  const byte = value.at(-1);
  return byte === undefined ? [] : [Uint8Array.of(byte & 0x0f)];
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
  private readonly outcomes: Outcome[] = [];
  private readonly declared: readonly IndexDeclaration[];
  private readonly oracle: Interpreter;
  private readonly session: DatabaseSession;
  private disk = new SimulatedDisk();

  constructor(program: Program, count: (name: string, by?: number) => void) {
    this.program = program;
    this.count = count;
    this.crashes = new Prng(typeof program.options['crashSeed'] === 'number' ? program.options['crashSeed'] : 1);
    const isIndexed = program.options['indexed'] === true && leavesRoom(program);
    this.declared = !isIndexed ? [] : program.options['unique'] === true ? [EDGES, RARE] : [EDGES];
    this.oracle = new Interpreter({
      transactionSnapshotAt: 'first-read',
      acknowledges: 'synced',
      readsAreDurable: false,
      keyBytesMax: 65_535,
      valueBytesMax: 16 * 1024 * 1024,
      indexes: RULES.filter(({ name }) => this.declared.some((index) => index.name === name)),
    });
    this.session = new DatabaseSession({
      vfs: this.disk,
      clock: new ManualClock(CLOCK_START_MILLISECONDS),
      options: { ...engineOptions(program.options), indexes: this.declared },
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
    if (outcome.kind === 'error' && outcome.code === 'LIGHTNING_NOT_UNIQUE') this.count('unique values refused');
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

  /** Every index, in the present and in every view that the program has open, against what the rows give. */
  private index(): Objection | undefined {
    for (const { name } of this.declared) {
      const objection = this.entries(name, {}, undefined);
      if (objection !== undefined) return objection;
      for (const { at, ...from } of this.session.views()) {
        if (from.transaction !== undefined && !this.oracle.readsFreely(from.transaction)) continue;
        const inView = this.entries(name, from, at);
        if (inView !== undefined) return inView;
        this.count('indexes read in a snapshot or transaction');
      }
    }
    return undefined;
  }

  private entries(
    name: string,
    from: { readonly snapshot?: number; readonly transaction?: number },
    at: Snapshot | DatabaseTransaction | undefined,
  ): Objection | undefined {
    const allowed = this.oracle.entriesAllowed(name, from);
    const found = [...this.session.database.index(name, at).scanSync()];
    this.count('index entries compared', found.length);
    const text = found.map(([indexed, key]) => `${hexOf(indexed)}:${hexOf(key)}`).join(' ');
    const texts = allowed.map((entries) =>
      entries.map(([indexed, key]) => `${hexOf(bytesOfKey(indexed))}:${hexOf(bytesOfKey(key))}`).join(' '),
    );
    if (texts.includes(text)) return undefined;
    return {
      class: 'index-mismatch',
      message: `index ${name}: the rows give [${texts.join('] or [')}], there are [${text}]`,
    };
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function unexpected(error: unknown): Objection {
  if (isLightningError(error, 'LIGHTNING_CORRUPTION')) return { class: 'index-mismatch', message: error.message };
  if (isLightningError(error)) return { class: 'unexpected-error', message: `${error.code}: ${error.message}` };
  return {
    class: 'uncoded-error',
    message: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
  };
}
