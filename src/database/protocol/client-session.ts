/**
 * What the server knows of one client: its snapshots and transactions, and the requests under way.
 *
 * 1. Requests begin in the order in which they arrive; answers come when they are ready, each with the id of its request.
 * 2. A write is acknowledged after the database has resolved it, with what it survives.
 * 3. When the client is gone its transactions are rolled back and its snapshots released; a commit that was already handed
 *    to the database is not taken back.
 * 4. Nothing that a client sends throws out of here: it gets a coded error, and the server lives.
 */
import { VALUE_BYTES_MAX } from '../../engine/limits.ts';
import type { ManualClock } from '../../base/clock.ts';
import { isLightningError, LightningError } from '../../base/errors.ts';
import type { Database } from '../database.ts';
import type { Row } from '../rows.ts';
import type { Snapshot } from '../snapshot.ts';
import type { DatabaseTransaction, Isolation } from '../transaction.ts';
import {
  fitting,
  FRAME_BYTES_MAX,
  fromBase64,
  OPEN_VIEWS_MAX,
  PROTOCOL_VERSION,
  SCAN_BYTES_MAX,
  toBase64,
} from './frames.ts';
import {
  allowOnly,
  batchOf,
  boundsOf,
  handleOf,
  idOf,
  parseJson,
  type Request,
  type RequestId,
  scanOf,
  syncOf,
  toRequest,
  wholeOf,
  writeOf,
} from './request.ts';

/** What a server serves. */
export interface Served {
  readonly database: Database;
  /** What a plain write is acknowledged with. */
  readonly acknowledges: 'synced' | 'volatile';
  readonly version: string;
  /** The folder in which clients may have backups made; without it they may not. */
  readonly backupTo?: string;
  /** The database's clock where clients move it: a harness alone does. */
  readonly clock?: ManualClock;
  /** Told of each request once it is answered: its name, how long it took, and the code of its error if any. */
  readonly observe?: (operation: string, milliseconds: number, errorCode: string | undefined) => void;
  /** Milliseconds that never run backwards; for `observe`. */
  readonly elapsed: () => number;
}

type Answer = Readonly<Record<string, unknown>>;
type Fields = Readonly<Record<string, unknown>>;

/** Levels that `begin` takes. */
const LEVELS: readonly Isolation[] = ['snapshot', 'serializable', 'read-committed', 'repeatable-read'];
const OPERATIONS_UNTIMED = new Set(['hello', 'unknown']);

/** An error as the protocol tells it. Only a coded error that says so is indefinite; a bug always is. */
export function errorAnswer(error: unknown): Answer {
  if (!isLightningError(error)) {
    return { error: { code: 'LIGHTNING_ASSERTION', definite: false, message: 'the server failed; see its log' } };
  }
  const definite = error.code !== 'LIGHTNING_INDEFINITE' && error.errorClass !== 'bug';
  return { error: { code: error.code, definite, message: error.message } };
}

/** One client. */
export class ClientSession {
  private readonly served: Served;
  private readonly send: (answer: Answer) => void;
  private readonly snapshots = new Map<number, Snapshot>();
  private readonly transactions = new Map<number, DatabaseTransaction>();
  private greeted = false;
  private ended = false;
  /** Requests that are not answered yet. */
  pending = 0;

  /** @param send takes each answer, in any order; not called after `end` */
  constructor(served: Served, send: (answer: Answer) => void) {
    this.served = served;
    this.send = send;
  }

  /** Takes one line. Resolves once it is answered; never rejects. */
  async take(line: string): Promise<void> {
    let id: RequestId | null = null;
    let operation = 'unknown';
    const began = this.served.elapsed();
    let answer: Answer;
    this.pending++;
    try {
      const value = parseJson(line);
      id = idOf(value);
      const request = toRequest(value);
      if (KNOWN.has(request.op)) operation = request.op;
      answer = await this.answer(request);
    } catch (error) {
      answer = errorAnswer(error);
    } finally {
      this.pending--;
    }
    if (!OPERATIONS_UNTIMED.has(operation) || 'error' in answer) {
      this.served.observe?.(operation, this.served.elapsed() - began, codeOf(answer));
    }
    if (!this.ended) this.send({ id, ...answer });
  }

  /** The client is gone. Calling it again does nothing. */
  end(): void {
    this.ended = true;
    for (const transaction of this.transactions.values()) if (transaction.isActive) transaction.abort();
    for (const snapshot of this.snapshots.values()) snapshot.release();
    this.transactions.clear();
    this.snapshots.clear();
  }

  private async answer({ op, fields }: Request): Promise<Answer> {
    if (op === 'hello') return this.hello(fields);
    if (!this.greeted) throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'the first request is hello');
    if (!KNOWN.has(op)) throw new LightningError('LIGHTNING_MISSING_CAPABILITY', `no operation ${op.slice(0, 40)}`);
    return TRANSACTION_OPERATIONS.has(op) ? this.inTransaction(op, fields) : this.plain(op, fields);
  }

  private hello(fields: Fields): Answer {
    allowOnly(fields, ['protocol']);
    if (fields['protocol'] !== PROTOCOL_VERSION) {
      throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `this server speaks protocol ${PROTOCOL_VERSION}`);
    }
    this.greeted = true;
    return {
      protocol: PROTOCOL_VERSION,
      engine: { name: 'lightning-db', version: this.served.version },
      frameBytesMax: FRAME_BYTES_MAX,
      capabilities: {
        orderedScan: true,
        reverseScan: true,
        batch: true,
        deleteRange: true,
        batchDeleteRange: true,
        snapshots: true,
        transactions: LEVELS,
        transactionSnapshotAt: 'first-read',
        deadlines: true,
        advanceClock: this.served.clock !== undefined,
        backup: this.served.backupTo !== undefined,
        sync: true,
        syncWrites: true,
        durable: true,
        flush: true,
        merge: true,
        collect: false,
        acknowledges: this.served.acknowledges,
        emptyKey: true,
        keyBytesMax: 65_535,
        valueBytesMax: VALUE_BYTES_MAX,
      },
    };
  }

  private async plain(op: string, fields: Fields): Promise<Answer> {
    const { database } = this.served;
    const { sync, ...rest } = fields;
    switch (op) {
      case 'get':
        allowOnly(fields, ['key']);
        return valueAnswer(database.getSync(fromBase64(fields['key'], 'key')));
      case 'scan':
        allowOnly(fields, ['range']);
        return rowsAnswer(database.scanSync(scanOf(fields['range'])));
      case 'put':
      case 'delete':
      case 'clear':
        await database.batch([writeOf(op, rest)], { ...syncOf({ sync }), within: this.transactions.values() });
        return this.acknowledged(sync);
      case 'batch':
        allowOnly(fields, ['operations', 'sync']);
        await database.batch(batchOf(fields['operations']), {
          ...syncOf(fields),
          within: this.transactions.values(),
        });
        return this.acknowledged(sync);
      case 'sync':
        allowOnly(fields, []);
        await database.sync();
        return { durability: 'synced', durableSequence: String(database.durableSequence) };
      case 'flush':
      case 'merge':
        allowOnly(fields, []);
        await (op === 'flush' ? database.flush() : database.compact());
        return {};
      case 'backup':
        return this.backup(fields);
      case 'advanceClock':
        allowOnly(fields, ['milliseconds']);
        if (this.served.clock === undefined) throw missing('the clock of this server moves by itself');
        this.served.clock.advance(wholeOf(fields['milliseconds'], 'milliseconds'));
        return {};
      case 'statistics': {
        allowOnly(fields, []);
        const figures = Object.entries(database.statistics()).filter(([, value]) => typeof value === 'number');
        return { statistics: Object.fromEntries(figures.map(([name, value]) => [name, String(value)])) };
      }
      default:
        return this.onSnapshot(op, fields);
    }
  }

  private async backup(fields: Fields): Promise<Answer> {
    allowOnly(fields, ['incremental']);
    const { backupTo } = this.served;
    if (backupTo === undefined) throw missing('this server was given no folder for backups');
    const { incremental = false } = fields;
    if (typeof incremental !== 'boolean')
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'incremental is true or false');
    const report = await this.served.database.backup(backupTo, { incremental });
    return Object.fromEntries(Object.entries(report).map(([name, value]) => [name, String(value)]));
  }

  private onSnapshot(op: string, fields: Fields): Answer {
    const id = handleOf(fields['snapshot'], 'snapshot');
    if (op === 'openSnapshot') {
      allowOnly(fields, ['snapshot']);
      this.roomFor(this.snapshots, id);
      const snapshot = this.served.database.snapshot();
      this.snapshots.set(id, snapshot);
      return { sequence: String(snapshot.sequence) };
    }
    const snapshot = this.snapshots.get(id);
    if (snapshot === undefined) throw new LightningError('LIGHTNING_SNAPSHOT_CLOSED', `snapshot ${id} is not open`);
    switch (op) {
      case 'snapshotGet':
        allowOnly(fields, ['snapshot', 'key']);
        return valueAnswer(snapshot.getSync(fromBase64(fields['key'], 'key')));
      case 'snapshotScan':
        allowOnly(fields, ['snapshot', 'range']);
        return rowsAnswer(snapshot.scanSync(scanOf(fields['range'])));
      default:
        allowOnly(fields, ['snapshot']);
        snapshot.release();
        this.snapshots.delete(id);
        return {};
    }
  }

  private async inTransaction(op: string, fields: Fields): Promise<Answer> {
    const { transaction: handle, ...rest } = fields;
    const id = handleOf(handle, 'transaction');
    if (op === 'begin') return this.begin(id, rest);
    const transaction = this.transactions.get(id);
    if (transaction === undefined) {
      throw new LightningError('LIGHTNING_TRANSACTION_CLOSED', `transaction ${id} is not open`);
    }
    switch (op) {
      case 'txGet':
        allowOnly(rest, ['key']);
        return valueAnswer(transaction.getSync(fromBase64(rest['key'], 'key')));
      case 'txGetForUpdate':
        allowOnly(rest, ['key']);
        return valueAnswer(await transaction.getForUpdate(fromBase64(rest['key'], 'key')));
      case 'txScan':
        allowOnly(rest, ['range']);
        return rowsAnswer(transaction.scanSync(scanOf(rest['range'])));
      case 'commit':
        return this.commit(id, transaction, rest);
      case 'abort':
        allowOnly(rest, []);
        this.transactions.delete(id);
        transaction.abort();
        return {};
      default:
        writeInto(transaction, writeOf(WRITES_IN_TRANSACTION[op], rest), rest);
        return {};
    }
  }

  private begin(id: number, fields: Fields): Answer {
    allowOnly(fields, ['isolation']);
    this.roomFor(this.transactions, id);
    const { isolation: name = 'snapshot' } = fields;
    const isolation = LEVELS.find((level) => level === name);
    if (isolation === undefined) {
      throw new LightningError('LIGHTNING_MISSING_CAPABILITY', `no isolation ${String(name).slice(0, 40)}`);
    }
    this.transactions.set(id, this.served.database.begin({ isolation }));
    return {};
  }

  private async commit(id: number, transaction: DatabaseTransaction, fields: Fields): Promise<Answer> {
    allowOnly(fields, ['sync']);
    const options = syncOf(fields);
    // It leaves the table at once: when the client goes meanwhile, a commit under way is not rolled back.
    this.transactions.delete(id);
    await transaction.commit(options);
    return this.acknowledged(fields['sync']);
  }

  private roomFor(views: ReadonlyMap<number, unknown>, id: number): void {
    if (views.has(id)) throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${id} is open already`);
    if (this.snapshots.size + this.transactions.size >= OPEN_VIEWS_MAX) {
      throw new LightningError('LIGHTNING_LIMIT', `at most ${OPEN_VIEWS_MAX} snapshots and transactions are open`);
    }
  }

  private acknowledged(sync: unknown): Answer {
    return { durability: sync === true ? 'synced' : this.served.acknowledges };
  }
}

const WRITES_IN_TRANSACTION: Readonly<Record<string, string>> = { txPut: 'put', txDelete: 'delete', txClear: 'clear' };
const TRANSACTION_OPERATIONS = new Set([
  'begin',
  'txGet',
  'txGetForUpdate',
  'txScan',
  'txPut',
  'txDelete',
  'txClear',
  'commit',
  'abort',
]);
const KNOWN = new Set([
  ...TRANSACTION_OPERATIONS,
  ...[
    'hello',
    'get',
    'scan',
    'put',
    'delete',
    'clear',
    'batch',
    'sync',
    'flush',
    'merge',
    'statistics',
    'backup',
    'advanceClock',
  ],
  ...['openSnapshot', 'snapshotGet', 'snapshotScan', 'releaseSnapshot'],
]);

function missing(message: string): LightningError {
  return new LightningError('LIGHTNING_MISSING_CAPABILITY', message);
}

function codeOf(answer: Answer): string | undefined {
  const { error } = answer;
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return String(error.code);
}

function writeInto(transaction: DatabaseTransaction, write: ReturnType<typeof writeOf>, fields: Fields): void {
  switch (write.type) {
    case 'put':
      transaction.put(write.key, write.value, write.deadline === undefined ? {} : { deadline: write.deadline });
      return;
    case 'delete':
      transaction.delete(write.key);
      return;
    case 'clear':
      transaction.clear(boundsOf(fields['range']));
  }
}

function valueAnswer(value: Uint8Array | undefined): Answer {
  return { value: value === undefined ? null : toBase64(fitting(value)) };
}

/** Rows up to the bound of an answer; `more` when the scan had another. */
function rowsAnswer(scan: IterableIterator<Row>): Answer {
  const rows: [string, string][] = [];
  let sizeBytes = 0;
  for (const [key, value] of scan) {
    sizeBytes += key.length + value.length;
    // At least one row goes with each answer, whatever its size.
    if (sizeBytes > SCAN_BYTES_MAX && rows.length > 0) return { rows, more: true };
    rows.push([toBase64(key), toBase64(fitting(value))]);
  }
  return { rows };
}
