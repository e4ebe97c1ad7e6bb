/**
 * The asynchronous face of our engine under the operation language, for many clients at once. Before and after each call
 * a client waits for its turn, and so does a scan between rows: a seed decides every interleaving.
 */
import { decodeBytes } from '../src/contract/bytes-text.ts';
import type { EngineSession } from '../src/contract/driver.ts';
import type { BatchOperation, Operation, ScanRange } from '../src/contract/operations.ts';
import { ABSENT, CONFLICT, errorOutcome, OK, type Outcome, type Row } from '../src/contract/outcomes.ts';
import { isLightningError } from '../src/base/errors.ts';
import type { Database, DatabaseTransaction, ScanOptions, WriteOperation } from '../src/database/index.ts';

/** Waits for one's turn. */
export type Pause = () => Promise<void>;

export class ConcurrentSession implements EngineSession {
  private readonly database: Database;
  private readonly pause: Pause;
  private readonly transactions = new Map<number, DatabaseTransaction>();

  constructor(database: Database, pause: Pause) {
    this.database = database;
    this.pause = pause;
  }

  async execute(operation: Operation): Promise<Outcome> {
    await this.pause();
    let outcome: Outcome;
    try {
      outcome = await this.perform(operation);
    } catch (error) {
      outcome = outcomeOf(error);
    }
    await this.pause();
    return outcome;
  }

  async close(): Promise<void> {
    return this.database.close();
  }

  private async perform(operation: Operation): Promise<Outcome> {
    const { database } = this;
    // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- the rest is refused below
    switch (operation.kind) {
      case 'put':
        await database.put(decodeBytes(operation.key), decodeBytes(operation.value));
        return OK;
      case 'batch':
        await database.batch(operation.operations.map(writeOf));
        return OK;
      case 'get': {
        const value = await database.get(decodeBytes(operation.key));
        return value === undefined ? ABSENT : { kind: 'value', value };
      }
      case 'scan':
        return this.scan(operation.range);
      case 'begin':
        this.transactions.set(operation.transaction, database.begin());
        return OK;
      case 'txGet': {
        const value = await this.transaction(operation.transaction).get(decodeBytes(operation.key));
        return value === undefined ? ABSENT : { kind: 'value', value };
      }
      case 'txScan':
        return this.scan(operation.range, this.transaction(operation.transaction));
      case 'txPut':
        this.transaction(operation.transaction).put(decodeBytes(operation.key), decodeBytes(operation.value));
        return OK;
      case 'txDelete':
        this.transaction(operation.transaction).delete(decodeBytes(operation.key));
        return OK;
      case 'commit':
        await this.transaction(operation.transaction).commit();
        return OK;
      case 'abort':
        this.transaction(operation.transaction).abort();
        return OK;
      default:
        return errorOutcome('UNCODED', `${operation.kind} is not part of this workload`);
    }
  }

  private async scan(range: ScanRange, from: Database | DatabaseTransaction = this.database): Promise<Outcome> {
    const rows: Row[] = [];
    for await (const row of from.scan(scanOptions(range))) {
      rows.push(row);
      await this.pause();
    }
    return { kind: 'rows', rows };
  }

  private transaction(number: number): DatabaseTransaction {
    const transaction = this.transactions.get(number);
    if (transaction === undefined) throw new RangeError(`transaction ${number} was not begun`);
    return transaction;
  }
}

function writeOf(operation: BatchOperation): WriteOperation {
  if (operation.kind === 'put')
    return { type: 'put', key: decodeBytes(operation.key), value: decodeBytes(operation.value) };
  if (operation.kind === 'delete') return { type: 'delete', key: decodeBytes(operation.key) };
  throw new RangeError('a clear in a batch is not part of this workload');
}

function scanOptions({ prefix }: ScanRange): ScanOptions {
  return prefix === undefined ? {} : { prefix: decodeBytes(prefix) };
}

function outcomeOf(error: unknown): Outcome {
  if (!isLightningError(error)) return errorOutcome('UNCODED', String(error));
  if (error.code === 'LIGHTNING_CONFLICT') return CONFLICT;
  return errorOutcome(error.code, error.message, error.code !== 'LIGHTNING_INDEFINITE');
}
