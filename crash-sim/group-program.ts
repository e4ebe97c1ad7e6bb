/**
 * Several clients of one `Database` on the simulated disk: their commits share fsyncs that take time, and the seed decides
 * who goes on when. What is exercised here is what the synchronous client of the other campaigns cannot: the promise of a
 * commit must not be kept before the fsync that covers it.
 */
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import type { Prng } from '../src/base/prng.ts';

/** One move of the scheduler. */
export type GroupMove =
  /** A client puts a value of its own and does not wait. */
  | { readonly kind: 'put'; readonly key: number; readonly length: number }
  | { readonly kind: 'delete'; readonly key: number }
  /** Two keys in one transaction that is committed without waiting. */
  | { readonly kind: 'transaction'; readonly keys: readonly [number, number] }
  | { readonly kind: 'get'; readonly key: number }
  /** Asks that everything so far be durable, and does not wait. */
  | { readonly kind: 'sync' }
  /** Promises that can go on do so; the disk does not. */
  | { readonly kind: 'yield' }
  /** One turn of the event loop: background work, and rounds of group commit that wait for one. */
  | { readonly kind: 'turn' }
  /** The fsyncs under way end. */
  | { readonly kind: 'complete' };

/** A run: plain data, so that it can be saved, shrunk and replayed. */
export interface GroupProgram {
  readonly format: 1;
  readonly memtableBytes: number;
  readonly directoryModel: 'strict' | 'journaled' | 'ext4';
  /** The n-th fsync of the log fails; 0: none does. */
  readonly failedSync: number;
  readonly moves: readonly GroupMove[];
}

const MOVES_MAX = 28;
const KEYS = 5;

function drawMove(random: Prng): GroupMove {
  const key = random.below(KEYS);
  switch (random.weighted([8, 2, 2, 1.5, 0.5, 3, 3, 1])) {
    case 0:
      return drawPut(random);
    case 1:
      return { kind: 'delete', key };
    case 2:
      return { kind: 'transaction', keys: [key, random.below(KEYS)] };
    case 3:
      return { kind: 'get', key };
    case 4:
      return { kind: 'sync' };
    case 5:
      return { kind: 'yield' };
    case 6:
      return { kind: 'turn' };
    default:
      return { kind: 'complete' };
  }
}

/** A group whose fsync takes its time: somebody writes while it is under way, it ends, and promises go on. */
function drawGroup(random: Prng): GroupMove[] {
  const puts = Array.from({ length: random.between(2, 4) }, () => drawPut(random));
  return [
    ...puts,
    { kind: 'yield' },
    { kind: 'turn' },
    drawMove(random),
    drawPut(random),
    { kind: 'complete' },
    { kind: 'yield' },
    drawMove(random),
  ];
}

function drawPut(random: Prng): GroupMove {
  const length = random.chance(0.2) ? random.between(500, 1500) : random.between(2, 40);
  return { kind: 'put', key: random.below(KEYS), length };
}

/** Draws a run. */
export function drawGroupProgram(random: Prng): GroupProgram {
  const moves: GroupMove[] = [];
  const count = random.between(3, MOVES_MAX);
  while (moves.length < count) moves.push(...(random.chance(0.2) ? drawGroup(random) : [drawMove(random)]));
  return {
    format: 1,
    memtableBytes: random.pick([300, 2000, 100_000, 100_000]),
    directoryModel: random.pick(['strict', 'journaled', 'ext4']),
    failedSync: random.chance(0.3) ? random.between(3, 9) : 0,
    moves,
  };
}

/** A run, and the seed that draws what survives each of its cuts. */
export interface GroupCase {
  readonly kind: 'group';
  readonly seed: number;
  readonly program: GroupProgram;
}

const key = z.number().int().min(0).max(255);
const move = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('put'), key, length: z.number().int().min(0) }),
  z.object({ kind: z.literal('delete'), key }),
  z.object({ kind: z.literal('transaction'), keys: z.tuple([key, key]) }),
  z.object({ kind: z.literal('get'), key }),
  z.object({ kind: z.literal('sync') }),
  z.object({ kind: z.literal('yield') }),
  z.object({ kind: z.literal('turn') }),
  z.object({ kind: z.literal('complete') }),
]);
const schema = z.object({
  kind: z.literal('group'),
  seed: z.number().int().nonnegative(),
  program: z.object({
    format: z.literal(1),
    memtableBytes: z.number().int().positive(),
    directoryModel: z.enum(['strict', 'journaled', 'ext4']),
    failedSync: z.number().int().nonnegative(),
    moves: z.array(move),
  }),
});

/** Whether a saved case is one of these. */
export function isGroupCase(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'kind' in json && json.kind === 'group';
}

/**
 * Reads a saved case.
 * @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT`
 */
export function parseGroupCase(json: unknown): GroupCase {
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a case of this version');
  return parsed.data;
}

/** A run as lines for people. */
export function printGroupProgram({ memtableBytes, directoryModel, failedSync, moves }: GroupProgram): string[] {
  const fault = failedSync === 0 ? '' : `, fsync ${failedSync} of the log fails`;
  const words = (move: GroupMove): string => {
    switch (move.kind) {
      case 'put':
        return `somebody puts key ${move.key}, ${move.length} bytes`;
      case 'delete':
        return `somebody deletes key ${move.key}`;
      case 'transaction':
        return `somebody commits keys ${move.keys.join(' and ')} together`;
      case 'get':
        return `somebody reads key ${move.key}`;
      case 'sync':
        return 'somebody asks for a sync';
      case 'yield':
        return '  promises go on';
      case 'turn':
        return '  a turn of the event loop';
      case 'complete':
        return '  the disk ends its fsyncs';
    }
  };
  return [
    `open with memtableBytes=${memtableBytes}, ${directoryModel} names${fault}`,
    ...moves.map((move, i) => `${String(i).padStart(2)}  ${words(move)}`),
  ];
}
