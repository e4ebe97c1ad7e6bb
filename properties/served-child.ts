/**
 * One of several processes that ask a served store: clients that read and write registers and run transactions, each with a
 * connection of its own. Prints one line of JSON for each operation, with the times of its call and return on the clock that
 * all processes of a machine share.
 *
 * Arguments: port, number of this process, clients, operations of each, seed.
 */
import { Prng } from '../src/base/prng.ts';
import { isLightningError } from '../src/base/errors.ts';
import { Client } from '../src/database/protocol/client.ts';
import type { Access, HistoryOutcome } from '../src/history/history.ts';

/** What is printed of an operation. Times are nanoseconds. */
export interface ServedOperation {
  readonly client: number;
  readonly kind: 'read' | 'write' | 'transaction';
  readonly outcome: HistoryOutcome;
  readonly call: string;
  readonly return: string;
  readonly accesses: readonly Access[];
}

const REGISTERS = ['x', 'y'];
const ROWS = ['r0', 'r1', 'r2', 'r3'];

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const textOf = (value: Uint8Array | undefined): string | null =>
  value === undefined ? null : Buffer.from(value).toString('latin1');

async function oneOperation(
  client: Client,
  prng: Prng,
  value: string,
): Promise<Pick<ServedOperation, 'kind' | 'accesses'>> {
  const key = prng.pick(REGISTERS);
  const kind = prng.weighted([2, 1, 3]);
  if (kind === 0)
    return { kind: 'read', accesses: [{ kind: 'read', key, value: textOf(await client.get(bytes(key))) }] };
  if (kind === 1) {
    await client.put(bytes(key), bytes(value));
    return { kind: 'write', accesses: [{ kind: 'write', key, value }] };
  }
  const accesses: Access[] = [];
  const transaction = await client.begin();
  const [first, second] = prng.shuffle([...ROWS]);
  for (const row of [first, second]) {
    accesses.push({ kind: 'read', key: row, value: textOf(await transaction.get(bytes(row))) });
  }
  for (const row of prng.chance(0.5) ? [first] : [first, second]) {
    await transaction.put(bytes(row), bytes(value));
    accesses.push({ kind: 'write', key: row, value });
  }
  await transaction.commit();
  return { kind: 'transaction', accesses };
}

async function runClient(port: number, number: number, count: number, prng: Prng): Promise<void> {
  const client = await Client.connect(port);
  for (let turn = 0; turn < count; turn++) {
    const call = String(process.hrtime.bigint());
    try {
      const done = await oneOperation(client, prng, `c${number}t${turn}`);
      const end = String(process.hrtime.bigint());
      process.stdout.write(`${JSON.stringify({ client: number, outcome: 'ok', call, return: end, ...done })}\n`);
    } catch (error) {
      // Only a conflict is an answer: what it read is of no use, and it wrote nothing.
      if (!isLightningError(error, 'LIGHTNING_CONFLICT')) throw error;
    }
  }
  await client.close();
}

const [port, process_, clients, operations, seed] = process.argv.slice(2).map(Number);
const prng = new Prng(seed);
await Promise.all(
  Array.from({ length: clients }, (_, i) => runClient(port, process_ * clients + i, operations, prng.fork())),
);
