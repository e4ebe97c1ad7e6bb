/**
 * Concurrent transactions that make checking isolation easy without lowering concurrency: values are unique, a register
 * is read before it is written, an inserted key is written once, lists only grow. Then every read names its writer and
 * every key has one order, and the checker needs no search. Where registers are deleted too, absence has several writers.
 */
import type { Prng } from '../base/prng.ts';
import type { IsolationLevel, Operation } from '../contract/operations.ts';
import type { Outcome } from '../contract/outcomes.ts';
import type { Access, Cell, HistoryOutcome } from '../history/history.ts';
import { type ClientSetting, hexOf, historyOutcome, start, textOf } from './clients.ts';

/** What a transaction does. */
export const TRANSACTION_KINDS = ['increment', 'skew', 'append', 'insert', 'longRead', 'remove'] as const;

/** A swarm choice: which kinds of transactions with which weights, over which keys. */
export interface TransactionMix {
  /** In the order of {@link TRANSACTION_KINDS}. */
  readonly weights: readonly number[];
  readonly registers: readonly string[];
  readonly lists: readonly string[];
  /** How often the first key is taken instead of any. */
  readonly skew: number;
  readonly isolation: IsolationLevel;
}

const PREFIX = 'p/';
const PREFIX_END = 'p0';

/** Draws a mix; each kind may be left out, reading and writing never both. */
export function drawTransactionMix(prng: Prng, isolation: IsolationLevel): TransactionMix {
  const names = (letter: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${letter}${i}`);
  return {
    weights: [
      prng.between(1, 4),
      ...TRANSACTION_KINDS.slice(1).map((kind) => prng.pick(kind === 'remove' ? [0, 0, 1] : [0, 1, 1, 3])),
    ],
    registers: names('r', prng.between(2, 6)),
    lists: names('l', prng.between(1, 3)),
    skew: prng.pick([0, 0.5]),
    isolation,
  };
}

/** Runs transactions and records what each did in program order. For {@link checkIsolationLevel}. */
export function transactionClients(
  setting: ClientSetting,
  mix: TransactionMix,
  firstTransaction: number,
): Promise<void>[] {
  let next = firstTransaction;
  return start(setting, async (client, prng, turn) => {
    const kind = TRANSACTION_KINDS[prng.weighted(mix.weights)];
    const id = setting.recorder.call(client, 'transaction');
    const running = new RunningTransaction(setting, next++, mix, prng, `c${client}t${turn}`);
    const outcome = await running.run(kind);
    const accesses = running.accesses;
    const reads = accesses.flatMap((a): Cell[] => (a.kind === 'read' ? [{ key: a.key, value: a.value }] : []));
    const writes = accesses.flatMap((a): Cell[] => (a.kind === 'write' ? [{ key: a.key, value: a.value }] : []));
    setting.recorder.return(client, id, outcome, reads, { writes, accesses });
  });
}

class RunningTransaction {
  readonly accesses: Access[] = [];
  private readonly setting: ClientSetting;
  private readonly number: number;
  private readonly mix: TransactionMix;
  private readonly prng: Prng;
  private readonly name: string;
  private failed = false;

  constructor(setting: ClientSetting, number: number, mix: TransactionMix, prng: Prng, name: string) {
    this.setting = setting;
    this.number = number;
    this.mix = mix;
    this.prng = prng;
    this.name = name;
  }

  async run(kind: (typeof TRANSACTION_KINDS)[number]): Promise<HistoryOutcome> {
    const began = await this.ask({ kind: 'begin', transaction: this.number, isolation: this.mix.isolation });
    if (began.kind !== 'ok') return 'failed';
    await this[kind]();
    if (this.failed) {
      await this.ask({ kind: 'abort', transaction: this.number });
      return 'failed';
    }
    return historyOutcome(await this.ask({ kind: 'commit', transaction: this.number }));
  }

  /** Reads two registers and writes both. */
  private async increment(): Promise<void> {
    const keys = this.twoRegisters();
    for (const key of keys) await this.read(key);
    for (const key of keys) await this.write(key);
  }

  /** Reads two registers and writes one: two of these at once are a write skew. */
  private async skew(): Promise<void> {
    const keys = this.twoRegisters();
    for (const key of keys) await this.read(key);
    await this.write(keys[0]);
    if (this.prng.chance(0.3)) await this.read(keys[0]);
  }

  private async append(): Promise<void> {
    const key = this.prng.pick(this.mix.lists);
    const elements = await this.readList(key);
    this.accesses.push({ kind: 'append', key, element: this.name });
    await this.put(key, [...elements, this.name].join(' '));
    if (this.prng.chance(0.3)) await this.readList(this.prng.pick(this.mix.lists));
  }

  /** Looks at a whole range and then adds a key to it. */
  private async insert(): Promise<void> {
    await this.readRange();
    await this.write(`${PREFIX}${this.name}`);
  }

  /** Reads two registers and deletes one. What is absent then has several possible writers, and the checker must search. */
  private async remove(): Promise<void> {
    const [key, other] = this.twoRegisters();
    await this.read(other);
    if ((await this.read(key)) === null || this.failed) return;
    this.accesses.push({ kind: 'write', key, value: null });
    const outcome = await this.ask({ kind: 'txDelete', transaction: this.number, key: hexOf(key) });
    if (outcome.kind !== 'ok') this.failed = true;
  }

  private async longRead(): Promise<void> {
    for (const key of this.prng.shuffle([...this.mix.registers])) await this.read(key);
    for (const key of this.mix.lists) await this.readList(key);
    await this.readRange();
    await this.read(this.prng.pick(this.mix.registers));
  }

  private twoRegisters(): string[] {
    const { registers, skew } = this.mix;
    const first = this.prng.chance(skew) ? registers[0] : this.prng.pick(registers);
    return [first, this.prng.pick(registers.filter((key) => key !== first))];
  }

  private async ask(operation: Operation): Promise<Outcome> {
    return this.setting.session.execute(operation);
  }

  private async get(key: string): Promise<string | null> {
    const outcome = await this.ask({ kind: 'txGet', transaction: this.number, key: hexOf(key) });
    if (outcome.kind !== 'value' && outcome.kind !== 'absent') this.failed = true;
    return outcome.kind === 'value' ? textOf(outcome.value) : null;
  }

  private async read(key: string): Promise<string | null> {
    const value = await this.get(key);
    if (!this.failed) this.accesses.push({ kind: 'read', key, value });
    return value;
  }

  private async readList(key: string): Promise<readonly string[]> {
    const value = await this.get(key);
    const elements = value === null ? [] : value.split(' ');
    if (!this.failed) this.accesses.push({ kind: 'list', key, elements });
    return elements;
  }

  private async readRange(): Promise<void> {
    const range = { prefix: hexOf(PREFIX) };
    const outcome = await this.ask({ kind: 'txScan', transaction: this.number, range });
    if (outcome.kind !== 'rows') {
      this.failed = true;
      return;
    }
    const rows = outcome.rows.map(([key, value]) => ({ key: textOf(key), value: textOf(value) }));
    this.accesses.push({ kind: 'range', from: PREFIX, to: PREFIX_END, rows });
  }

  private async write(key: string): Promise<void> {
    this.accesses.push({ kind: 'write', key, value: this.name });
    await this.put(key, this.name);
  }

  private async put(key: string, value: string): Promise<void> {
    const outcome = await this.ask({
      kind: 'txPut',
      transaction: this.number,
      key: hexOf(key),
      value: hexOf(value),
    });
    if (outcome.kind !== 'ok') this.failed = true;
  }
}
