/**
 * Any engine behind the protocol (spec/protocol.md) as an engine under test. An adapter that dies, hangs or says what is no
 * answer gives an error outcome, which no specification allows; nothing is repaired or asked twice.
 */
import { isLightningError, LightningError } from '../base/errors.ts';
import { type BytesText, decodeBytes } from '../contract/bytes-text.ts';
import { type Capabilities, type EngineDriver, type EngineSession, supports } from '../contract/driver.ts';
import type { BatchOperation, IsolationLevel, KeyRange, Operation, ScanRange } from '../contract/operations.ts';
import { ABSENT, CONFLICT, errorOutcome, OK, type Outcome, type Row } from '../contract/outcomes.ts';
import { Client, durabilityOf, type Fields, rowsOf, valueOf } from '../database/protocol/client.ts';
import { toBase64 } from '../database/protocol/frames.ts';
import type { Adapter, StartAdapter } from './adapter-process.ts';

/** An adapter that says nothing for so long hangs. */
const HANG_MILLISECONDS = 30_000;
const LEVELS: readonly IsolationLevel[] = ['snapshot', 'serializable', 'read-committed'];

/**
 * Starts the adapter once to ask what it can do.
 * @param scratch an empty folder for that
 * @throws (rejects) LightningError when it does not answer `hello`
 */
export async function protocolDriver(name: string, start: StartAdapter, scratch: string): Promise<EngineDriver> {
  const first = await ProtocolSession.start(start, scratch);
  const { hello } = first;
  const capabilities = capabilitiesOf(recordOf(hello['capabilities']));
  const version = recordOf(hello['engine'])['version'];
  await first.close();
  return {
    name,
    version: typeof version === 'string' ? version : undefined,
    capabilities,
    open: async (directory) => ProtocolSession.start(start, directory, capabilities),
  };
}

/**
 * Whether answers find their requests when many are under way: writes, then reads of them all, in one go.
 * @returns what is wrong; `undefined` when nothing is
 * @throws (rejects) LightningError when it does not answer `hello`
 */
export async function pipelineProblem(start: StartAdapter, directory: string): Promise<string | undefined> {
  const adapter = start(directory);
  let client: Client;
  try {
    client = await within(adapter, Client.over(adapter.input, adapter.output));
  } catch (error) {
    adapter.kill();
    throw error;
  }
  try {
    const keys = Array.from({ length: 16 }, (_, i) => Uint8Array.of(0xff, i));
    await within(adapter, Promise.all(keys.map(async (key) => client.put(key, key))));
    const values = await within(adapter, Promise.all(keys.map(async (key) => client.get(key))));
    await client.close();
    const wrong = keys.findIndex((key, i) => Buffer.compare(values[i] ?? new Uint8Array(0), key) !== 0);
    return wrong === -1 ? undefined : `of ${keys.length} reads under way at once, number ${wrong} got another's answer`;
  } catch (error) {
    return `requests under way at once: ${String(error)}`;
  } finally {
    await adapter.end().catch(() => adapter.kill());
  }
}

async function within<T>(adapter: Adapter, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      adapter.kill();
      reject(
        new LightningError('LIGHTNING_INDEFINITE', 'the adapter hangs', { code: 'ADAPTER_HANG', definite: false }),
      );
    }, HANG_MILLISECONDS);
  });
  try {
    return await Promise.race([work, hang]);
  } finally {
    clearTimeout(timer);
  }
}

class ProtocolSession implements EngineSession {
  private readonly restart: () => Promise<ProtocolSession>;
  private readonly capabilities: Capabilities | undefined;
  private adapter: Adapter;
  private client: Client;
  /** How far the adapter's clock was moved. */
  private clockMilliseconds = 0;

  private constructor(
    adapter: Adapter,
    client: Client,
    capabilities: Capabilities | undefined,
    restart: () => Promise<ProtocolSession>,
  ) {
    this.adapter = adapter;
    this.client = client;
    this.capabilities = capabilities;
    this.restart = restart;
  }

  static async start(start: StartAdapter, directory: string, capabilities?: Capabilities): Promise<ProtocolSession> {
    const adapter = start(directory);
    try {
      const client = await within(adapter, Client.over(adapter.input, adapter.output));
      return new ProtocolSession(adapter, client, capabilities, async () =>
        ProtocolSession.start(start, directory, capabilities),
      );
    } catch (error) {
      adapter.kill();
      throw error;
    }
  }

  get hello(): Fields {
    return this.client.hello;
  }

  async execute(operation: Operation): Promise<Outcome> {
    if (this.capabilities !== undefined && !supports(this.capabilities, operation)) {
      return errorOutcome('LIGHTNING_MISSING_CAPABILITY');
    }
    try {
      return await this.carryOut(operation);
    } catch (error) {
      if (!isLightningError(error)) throw error;
      const { code = error.code, definite = error.code !== 'LIGHTNING_INDEFINITE' } = error.details;
      if (code === 'LIGHTNING_CONFLICT' && definite === true) return CONFLICT;
      return errorOutcome(String(code), error.message, definite === true);
    }
  }

  async close(): Promise<void> {
    await within(this.adapter, this.client.close());
    await within(this.adapter, this.adapter.end());
  }

  private async carryOut(operation: Operation): Promise<Outcome> {
    if (operation.kind === 'reopen') {
      await this.close();
      return this.comeUp();
    }
    if (operation.kind === 'crash') {
      await this.kill();
      return this.comeUp();
    }
    if (operation.kind === 'advanceClock') this.clockMilliseconds += operation.milliseconds;
    switch (operation.kind) {
      case 'scan':
      case 'snapshotScan':
      case 'txScan':
        return this.scan(operation);
      case 'get':
      case 'snapshotGet':
      case 'txGet': {
        const value = valueOf(await this.ask(operation));
        return value === undefined ? ABSENT : { kind: 'value', value };
      }
      case 'put':
      case 'delete':
      case 'clear':
      case 'batch':
      case 'commit':
        return { kind: 'ok', durability: durabilityOf(await this.ask(operation)) };
      case 'abort':
      case 'advanceClock':
      case 'begin':
      case 'collect':
      case 'backup':
      case 'flush':
      case 'merge':
      case 'openSnapshot':
      case 'releaseSnapshot':
      case 'sync':
      case 'txClear':
      case 'txDelete':
      case 'txPut':
        await this.ask(operation);
        return OK;
    }
  }

  /** SIGKILL: nothing is closed, flushed or said. */
  private async kill(): Promise<void> {
    this.adapter.kill();
    await within(
      this.adapter,
      this.adapter.end().catch(() => undefined),
    );
  }

  private async comeUp(): Promise<Outcome> {
    const next = await this.restart();
    this.adapter = next.adapter;
    this.client = next.client;
    // Its clock begins anew with each process.
    if (this.clockMilliseconds !== 0)
      await within(this.adapter, this.client.request('advanceClock', { milliseconds: this.clockMilliseconds }));
    return OK;
  }

  private async scan(operation: Operation & { readonly range: ScanRange }): Promise<Outcome> {
    const rows: Row[] = [];
    const { limit, ...range } = operation.range;
    let bounds: Fields = rangeFields(range);
    for (;;) {
      const left = limit === undefined ? {} : { limit: limit - rows.length };
      const answer = await this.ask(operation, { ...bounds, ...left });
      const page = rowsOf(answer);
      for (const row of page) rows.push(row);
      const last = page.at(-1);
      if (answer['more'] !== true || last === undefined) return { kind: 'rows', rows };
      bounds = { ...bounds, [range.reverse === true ? 'lt' : 'gt']: toBase64(last[0]) };
    }
  }

  private async ask(operation: Operation, range?: Fields): Promise<Fields> {
    const { kind, ...fields } = fieldsOf(operation);
    return within(this.adapter, this.client.request(String(kind), range === undefined ? fields : { ...fields, range }));
  }
}

function text(bytes: BytesText): string {
  return toBase64(decodeBytes(bytes));
}

/** An operation as it travels; `kind` is its name. */
function fieldsOf(operation: Operation | BatchOperation): Record<string, unknown> {
  const fields: Record<string, unknown> = { ...operation };
  if ('key' in operation) fields['key'] = text(operation.key);
  if ('value' in operation) fields['value'] = text(operation.value);
  if ('deadline' in operation) fields['deadline'] = String(operation.deadline);
  if ('range' in operation) fields['range'] = rangeFields(operation.range);
  if ('operations' in operation) {
    fields['operations'] = operation.operations.map((step) => {
      const { kind, ...rest } = fieldsOf(step);
      return { op: kind, ...rest };
    });
  }
  return fields;
}

function rangeFields(range: KeyRange | ScanRange): Fields {
  const fields: Record<string, unknown> = { ...range };
  for (const name of ['gte', 'gt', 'lte', 'lt', 'prefix'] as const) {
    const bound = range[name];
    if (bound !== undefined) fields[name] = text(bound);
  }
  return fields;
}

function recordOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function capabilitiesOf(told: Fields): Capabilities {
  const can = (name: string): boolean => told[name] === true;
  const number = (name: string, most: number): number => {
    const value = told[name];
    return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? Math.min(value, most) : most;
  };
  const levels = Array.isArray(told['transactions']) ? told['transactions'] : [];
  return {
    orderedScan: can('orderedScan'),
    reverseScan: can('reverseScan'),
    batch: can('batch'),
    deleteRange: can('deleteRange'),
    batchDeleteRange: can('batchDeleteRange'),
    snapshots: can('snapshots'),
    transactions: LEVELS.filter((level) => levels.includes(level)),
    transactionSnapshotAt: told['transactionSnapshotAt'] === 'first-read' ? 'first-read' : 'begin',
    deadlines: can('deadlines') && can('advanceClock'),
    sync: can('sync'),
    syncWrites: can('syncWrites'),
    reopen: can('durable'),
    // A process that is killed: after a power cut less may be left, so only what survives that is held against it.
    crash: can('durable') && told['acknowledges'] === 'synced',
    flush: can('flush'),
    merge: can('merge'),
    collect: can('collect'),
    acknowledges: told['acknowledges'] === 'synced' ? 'synced' : 'volatile',
    emptyKey: can('emptyKey'),
    keyBytesMax: number('keyBytesMax', 65_535),
    valueBytesMax: number('valueBytesMax', 16 * 1024 * 1024),
  };
}
