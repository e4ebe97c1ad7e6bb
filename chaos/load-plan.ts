/**
 * The load that is killed: clients that write batches one after the other, each entry with a value that says which
 * attempt wrote it. Pure: parent and child compute the same.
 */
import { writeUint16 } from '../src/base/bytes.ts';
import { hash32 } from '../src/base/hash.ts';
import { Prng } from '../src/base/prng.ts';
import type { Durability, WriteOperation } from '../src/engine/index.ts';

/** Entries of the whole load, as in the original's own stress test. */
export const ENTRY_COUNT = 85_092;
export const CLIENT_COUNT = 4;

/** One load. */
export interface Load {
  readonly seed: number;
  readonly durability: Durability;
  readonly clientCount: number;
  readonly entriesPerClient: number;
  /** Batches hold 1 to so many entries. */
  readonly batchEntriesMax: number;
  /** Small, so that flushes and merges are under way when the kill comes. */
  readonly memtableBytes: number;
}

/** Entries `[first, end)` of one client, written atomically. */
export interface Batch {
  readonly first: number;
  readonly end: number;
}

/** The batches of one client, in the order in which it writes them. */
export function batchesOf(load: Load, client: number): Batch[] {
  const prng = new Prng(load.seed + client);
  const batches: Batch[] = [];
  for (let first = 0; first < load.entriesPerClient;) {
    const end = Math.min(load.entriesPerClient, first + prng.between(1, load.batchEntriesMax));
    batches.push({ first, end });
    first = end;
  }
  return batches;
}

/** Keys scatter over the key space, so that runs overlap: the multiplier is odd, which makes the map one to one. */
export function keyText(client: number, entry: number): string {
  return `${client}/${(Math.imul(entry + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0')}`;
}

/** The key that every batch of a client overwrites with its own number. */
export function headText(client: number): string {
  return `${client}/head`;
}

/** 18 to 81 bytes that depend on all arguments; the first two are the attempt. */
export function valueOf(seed: number, client: number, entry: number, attempt: number): Uint8Array {
  const name = Buffer.from(`${seed} ${client} ${entry} ${attempt}`, 'latin1');
  let state = hash32(name);
  const value = new Uint8Array(18 + (state & 63));
  writeUint16(value, attempt, 0);
  for (let at = 2; at < value.length; at++) {
    state = (Math.imul(state, 0x01010105) + 0x3039) >>> 0;
    value[at] = state >>> 24;
  }
  return value;
}

/** What the head of a client holds after batch `number` of `attempt`. */
export function headValue(number: number, attempt: number): Uint8Array {
  return new Uint8Array(Buffer.from(`${number} ${attempt}`, 'latin1'));
}

/** The commit that writes one batch. */
export function operationsOf(
  load: Load,
  client: number,
  number: number,
  batch: Batch,
  attempt: number,
): WriteOperation[] {
  const operations: WriteOperation[] = [];
  for (let entry = batch.first; entry < batch.end; entry++) {
    const key = Buffer.from(keyText(client, entry), 'latin1');
    operations.push({ type: 'put', key, value: valueOf(load.seed, client, entry, attempt) });
  }
  const head = Buffer.from(headText(client), 'latin1');
  operations.push({ type: 'put', key: head, value: headValue(number, attempt) });
  return operations;
}
