/** The programs of the stage `database`: the general ones, and crowded ones of few keys and many transactions. */
import type { Prng } from '../src/base/prng.ts';
import { CLOCK_START_MILLISECONDS } from '../src/contract/limits.ts';
import type { OpenOptions, Operation, Program } from '../src/contract/operations.ts';
import { generateProgram } from '../src/workload/programs.ts';
import { DATABASE_CAPABILITIES } from './database-session.ts';

const KEYS = ['61', '62', '63', '64'] as const;
const OPEN_MAX = 4;

function drawOptions(prng: Prng): OpenOptions {
  return {
    durability: prng.pick(['commit', 'interval', 'none']),
    memtableBytes: prng.pick([300, 2000, 16_000]),
    blockSizeBytes: 512,
    nodeTargetBytes: 512,
    runCountMax: prng.pick([1, 2]),
    crashSeed: prng.below(0x1_0000_0000),
    indexed: prng.chance(0.6),
    unique: prng.chance(0.4),
  };
}

/** Draws one program; half of them end in a power cut, so that there are many of them. */
export function drawDatabaseProgram(prng: Prng): Program {
  const options = drawOptions(prng);
  const operations = prng.chance(0.5)
    ? drawCrowd(prng)
    : generateProgram(prng, {
        capabilities: DATABASE_CAPABILITIES,
        operations: prng.pick([12, 25, 50, 100]),
        options,
        longMaterial: false,
      }).operations;
  return { format: 1, options, operations: prng.chance(0.5) ? [...operations, { kind: 'crash' }] : operations };
}

/** Transactions of all levels that read and write the same few keys, so that most of them meet a conflict. */
function drawCrowd(prng: Prng): Operation[] {
  const operations: Operation[] = [];
  let open: number[] = [];
  let next = 1;
  for (let left = prng.between(8, 60); left > 0; left--) {
    const key = prng.pick(KEYS);
    const value = left.toString(16).padStart(2, '0');
    const choice = prng.below(12);
    if (open.length === 0 || (choice < 3 && open.length < OPEN_MAX)) {
      const isolation = prng.pick(['snapshot', 'serializable', 'serializable', 'read-committed'] as const);
      operations.push({ kind: 'begin', transaction: next, isolation });
      open.push(next++);
      continue;
    }
    const transaction = prng.pick(open);
    const range = { gte: prng.pick(KEYS), lte: key, reverse: prng.chance(0.5) };
    if (choice < 5) operations.push({ kind: 'txGet', transaction, key });
    else if (choice < 7) operations.push({ kind: 'txScan', transaction, range });
    else if (choice < 9) operations.push({ kind: 'txPut', transaction, key, value });
    else if (choice === 9) {
      const pair = [key, prng.pick(KEYS)].map((one) => ({ kind: 'put', key: one, value }) as const);
      operations.push(prng.chance(0.5) ? { kind: 'put', key, value } : { kind: 'batch', operations: pair });
    } else if (choice === 10 && prng.chance(0.4)) {
      const deadline = CLOCK_START_MILLISECONDS + prng.below(30);
      operations.push({ kind: 'put', key, value, deadline }, { kind: 'advanceClock', milliseconds: prng.below(20) });
    } else if (choice === 10) operations.push({ kind: 'delete', key }, { kind: prng.pick(['flush', 'merge']) });
    else {
      operations.push(prng.chance(0.8) ? { kind: 'commit', transaction } : { kind: 'abort', transaction });
      open = open.filter((one) => one !== transaction);
    }
  }
  return operations;
}
