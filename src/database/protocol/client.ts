/**
 * A client of the protocol: `lightning-db/client`. Requests may be sent without waiting for earlier answers.
 *
 * An error that the server tells has its code; `LIGHTNING_INDEFINITE` means that the write may have happened. So does a
 * connection that ends before the answer, for every write under way.
 */
import { connect } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { ERROR_CODES, type ErrorCode, LightningError } from '../../base/errors.ts';
import type { RangeBounds, ScanOptions } from '../../engine/index.ts';
import type { Row } from '../rows.ts';
import type { BackupReport } from '../backup/backup.ts';
import { numberOf } from './request.ts';
import { frameOf, fromBase64, LineSplitter, PROTOCOL_VERSION, toBase64 } from './frames.ts';

/** Fields of a request or an answer, as they travel. */
export type Fields = Readonly<Record<string, unknown>>;

/** Options of a write. `deadline`: milliseconds since 1970, for puts. */
export interface ClientWriteOptions {
  readonly sync?: boolean;
  readonly deadline?: number;
}

/** One step of a batch. */
export type ClientWrite =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly deadline?: number }
  | { readonly type: 'delete'; readonly key: Uint8Array }
  | ({ readonly type: 'clear' } & RangeBounds);

/** What an acknowledged write survives: `synced` a power cut, `volatile` the end of the process or less. */
export type Durability = 'synced' | 'volatile';

interface Waiting {
  readonly resolve: (answer: Fields) => void;
  readonly reject: (error: LightningError) => void;
}

/** Rows asked for at once when a scan is read in pages. */
const PAGE_ROWS = 1000;

/** A connection. Errors reject with a `LightningError`. */
export class Client implements AsyncDisposable {
  private readonly output: Writable;
  private readonly waiting = new Map<number, Waiting>();
  private readonly ended: Promise<void>;
  private nextId = 0;
  private nextHandle = 0;
  private failure: LightningError | undefined;
  private greeting: Fields = {};

  private constructor(input: Readable, output: Writable) {
    this.output = output;
    output.on('error', () => this.fail(lost()));
    this.ended = this.read(input);
  }

  /** Connects to a server. @throws (rejects) LightningError `LIGHTNING_IO`, `LIGHTNING_UNSUPPORTED_FORMAT`, `LIGHTNING_LIMIT` */
  static async connect(port: number, host = '127.0.0.1'): Promise<Client> {
    const socket = connect({ port, host, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) =>
        reject(new LightningError('LIGHTNING_IO', `cannot connect to ${host}:${port}`, {}, error)),
      );
    });
    return Client.over(socket, socket);
  }

  /** Speaks over streams: those of a child process, say. */
  static async over(input: Readable, output: Writable): Promise<Client> {
    const client = new Client(input, output);
    client.greeting = await client.request('hello', { protocol: PROTOCOL_VERSION });
    return client;
  }

  /** What the server said of itself: `protocol`, `engine`, `capabilities`, `frameBytesMax`. */
  get hello(): Fields {
    return this.greeting;
  }

  /** Sends any request; the fields travel as they are. */
  async request(op: string, fields: Fields = {}): Promise<Fields> {
    const { failure } = this;
    if (failure !== undefined) throw new LightningError('LIGHTNING_CLOSED', 'the connection has ended', {}, failure);
    const id = this.nextId++;
    return new Promise<Fields>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.output.write(frameOf({ id, op, ...fields }));
    });
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return valueOf(await this.request('get', { key: toBase64(key) }));
  }

  async put(key: Uint8Array, value: Uint8Array, options: ClientWriteOptions = {}): Promise<Durability> {
    return durabilityOf(await this.request('put', { key: toBase64(key), value: toBase64(value), ...written(options) }));
  }

  async delete(key: Uint8Array, options: { readonly sync?: boolean } = {}): Promise<Durability> {
    return durabilityOf(await this.request('delete', { key: toBase64(key), ...written(options) }));
  }

  async clear(bounds: RangeBounds = {}, options: { readonly sync?: boolean } = {}): Promise<Durability> {
    return durabilityOf(await this.request('clear', { range: rangeFields(bounds), ...written(options) }));
  }

  /** All or nothing. */
  async batch(writes: readonly ClientWrite[], options: { readonly sync?: boolean } = {}): Promise<Durability> {
    const operations = writes.map((write) => {
      if (write.type === 'clear') return { op: 'clear', range: rangeFields(write) };
      const key = toBase64(write.key);
      if (write.type === 'delete') return { op: 'delete', key };
      return { op: 'put', key, value: toBase64(write.value), ...written({ ...deadlineOnly(write.deadline) }) };
    });
    return durabilityOf(await this.request('batch', { operations, ...written(options) }));
  }

  /** Everything acknowledged so far is durable once it resolves. */
  async sync(): Promise<void> {
    await this.request('sync');
  }

  /**
   * Has the server make a backup in the folder that it was started with, while it goes on; resolves once the backup is
   * durable and has been read back. The figures are those of `Database.backup`.
   * @throws (rejects) LightningError `LIGHTNING_MISSING_CAPABILITY` by a server without such a folder
   */
  async backup(options: { readonly incremental?: boolean } = {}): Promise<BackupReport> {
    const answer = await this.request('backup', { incremental: options.incremental === true });
    const figure = (name: keyof BackupReport): number => numberOf(answer[name], name);
    return {
      number: figure('number'),
      parent: figure('parent'),
      sequence: figure('sequence'),
      storeBytes: figure('storeBytes'),
      dataBytes: figure('dataBytes'),
      rows: figure('rows'),
    };
  }

  /** Rows of one moment, in pages under a snapshot of the server's. */
  async *scan(options: ScanOptions = {}): AsyncGenerator<Row, undefined> {
    const snapshot = this.nextHandle++;
    await this.request('openSnapshot', { snapshot });
    try {
      yield* pages(options, async (range) => this.request('snapshotScan', { snapshot, range }));
    } finally {
      if (this.failure === undefined) await this.request('releaseSnapshot', { snapshot });
    }
    return undefined;
  }

  /** Begins a transaction; a lost connection rolls it back. @param isolation a level the server's `hello` names */
  async begin(isolation?: string): Promise<ClientTransaction> {
    const transaction = this.nextHandle++;
    await this.request('begin', { transaction, ...(isolation === undefined ? {} : { isolation }) });
    return new ClientTransaction(this, transaction);
  }

  /** Ends the connection and waits for the server to end it too. Closing twice does nothing. */
  async close(): Promise<void> {
    this.output.end();
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  private async read(input: Readable): Promise<void> {
    const splitter = new LineSplitter();
    try {
      for await (const chunk of input) {
        for (const line of splitter.push(Buffer.from(chunk as Uint8Array))) this.take(line);
      }
      this.fail(lost());
    } catch (error) {
      this.fail(error instanceof LightningError ? error : lost(error));
    }
  }

  private take(line: string): void {
    const answer: unknown = JSON.parse(line);
    if (typeof answer !== 'object' || answer === null) throw new LightningError('LIGHTNING_HARNESS', 'no answer');
    const fields: Fields = Object.fromEntries(Object.entries(answer));
    const error = errorIn(fields);
    const waiting = this.waiting.get(Number(fields['id'] ?? -1));
    if (waiting === undefined) throw error ?? new LightningError('LIGHTNING_HARNESS', 'an answer to no request');
    this.waiting.delete(Number(fields['id']));
    if (error === undefined) waiting.resolve(fields);
    else waiting.reject(error);
  }

  private fail(error: LightningError): void {
    this.failure ??= error;
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    for (const one of waiting) one.reject(error);
    this.output.end();
  }
}

/** A transaction on a server. It ends with `commit`, `abort`, or the connection. */
export class ClientTransaction {
  private readonly client: Client;
  private readonly transaction: number;

  constructor(client: Client, transaction: number) {
    this.client = client;
    this.transaction = transaction;
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return valueOf(await this.ask('txGet', { key: toBase64(key) }));
  }

  /** Locks the key until the transaction ends, waiting for whoever holds it, then reads it. */
  async getForUpdate(key: Uint8Array): Promise<Uint8Array | undefined> {
    return valueOf(await this.ask('txGetForUpdate', { key: toBase64(key) }));
  }

  async put(key: Uint8Array, value: Uint8Array, options: { readonly deadline?: number } = {}): Promise<void> {
    await this.ask('txPut', { key: toBase64(key), value: toBase64(value), ...written(options) });
  }

  async delete(key: Uint8Array): Promise<void> {
    await this.ask('txDelete', { key: toBase64(key) });
  }

  async clear(bounds: RangeBounds = {}): Promise<void> {
    await this.ask('txClear', { range: rangeFields(bounds) });
  }

  /** Rows as the transaction sees them. */
  scan(options: ScanOptions = {}): AsyncGenerator<Row, undefined> {
    return pages(options, async (range) => this.ask('txScan', { range }));
  }

  async commit(options: { readonly sync?: boolean } = {}): Promise<Durability> {
    return durabilityOf(await this.ask('commit', written(options)));
  }

  async abort(): Promise<void> {
    await this.ask('abort', {});
  }

  private async ask(op: string, fields: Fields): Promise<Fields> {
    return this.client.request(op, { transaction: this.transaction, ...fields });
  }
}

/** Reads a scan in pages, each from behind the last row of the one before. */
async function* pages(options: ScanOptions, ask: (range: Fields) => Promise<Fields>): AsyncGenerator<Row, undefined> {
  let { limit: left = Infinity } = options;
  let bounds = rangeFields(options);
  while (left > 0) {
    const count = Math.min(left, PAGE_ROWS);
    const answer = await ask({ ...bounds, reverse: options.reverse ?? false, limit: count });
    const rows = rowsOf(answer);
    yield* rows;
    left -= rows.length;
    const last = rows.at(-1);
    if (last === undefined || (answer['more'] !== true && rows.length < count)) return undefined;
    bounds = { ...bounds, [options.reverse === true ? 'lt' : 'gt']: toBase64(last[0]) };
  }
  return undefined;
}

/** Bounds as they travel. */
export function rangeFields(bounds: RangeBounds): Fields {
  const fields: Record<string, string> = {};
  for (const name of ['gte', 'gt', 'lte', 'lt', 'prefix'] as const) {
    const bound = bounds[name];
    if (bound !== undefined) fields[name] = toBase64(bound);
  }
  return fields;
}

function written({ sync, deadline }: ClientWriteOptions): Fields {
  return {
    ...(sync === undefined ? {} : { sync }),
    ...(deadline === undefined ? {} : { deadline: String(deadline) }),
  };
}

function deadlineOnly(deadline: number | undefined): ClientWriteOptions {
  return deadline === undefined ? {} : { deadline };
}

/** The value in an answer. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for what is none */
export function valueOf(answer: Fields): Uint8Array | undefined {
  return answer['value'] === null ? undefined : fromBase64(answer['value'], 'value');
}

/** The rows in an answer. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for what are none */
export function rowsOf(answer: Fields): Row[] {
  const { rows } = answer;
  if (!Array.isArray(rows)) throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'an answer without rows');
  return rows.map((row: unknown) => {
    if (!Array.isArray(row) || row.length !== 2) {
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a row is a key and a value');
    }
    return [fromBase64(row[0], 'key'), fromBase64(row[1], 'value')];
  });
}

/** What a write survives. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` when the answer does not say */
export function durabilityOf(answer: Fields): Durability {
  const { durability } = answer;
  if (durability === 'synced' || durability === 'volatile') return durability;
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'an acknowledgement says synced or volatile');
}

/** The error in an answer. An indefinite one is `LIGHTNING_INDEFINITE`, whatever its own code; that stands in the details. */
export function errorIn(answer: Fields): LightningError | undefined {
  const { error } = answer;
  if (error === undefined) return undefined;
  const fields: Fields = typeof error === 'object' && error !== null ? Object.fromEntries(Object.entries(error)) : {};
  const code = String(fields['code']);
  const definite = fields['definite'] === true;
  const known = (Object.keys(ERROR_CODES) as ErrorCode[]).find((one) => one === code) ?? 'LIGHTNING_HARNESS';
  const message = String(fields['message'] ?? code);
  return new LightningError(definite ? known : 'LIGHTNING_INDEFINITE', message, { code, definite });
}

function lost(cause?: unknown): LightningError {
  return new LightningError(
    'LIGHTNING_INDEFINITE',
    'the connection ended before the answer; a write may have happened',
    {},
    cause,
  );
}
