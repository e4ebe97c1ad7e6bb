/** The programs of the part `limits`: a database with one or two limits, driven into them. Plain data. */
import { z } from 'zod';
import type { Prng } from '../src/base/prng.ts';
import { type CasePart, withoutSome } from './case-part.ts';
import { runLimitProgram } from './limit-run.ts';

const key = { key: z.number().int().min(0).max(999), keyBytes: z.number().int().min(1).max(65_600).optional() };
const size = z.number().int().min(0).max(1_000_000);
const transaction = z.number().int().min(1);

const stepSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('put'), ...key, size }),
  z.object({ kind: z.literal('delete'), ...key }),
  z.object({ kind: z.literal('begin'), transaction }),
  z.object({ kind: z.literal('txPut'), transaction, ...key, size }),
  z.object({ kind: z.literal('commit'), transaction }),
  z.object({ kind: z.literal('abort'), transaction }),
  z.object({ kind: z.literal('flush') }),
  z.object({ kind: z.literal('compact') }),
  /** Closes and opens again, with so many times the quota of before. */
  z.object({ kind: z.literal('reopen'), quotaTimes: z.number().positive().optional() }),
]);

const bytes = z.number().int().positive();
const programSchema = z.object({
  format: z.literal(1),
  limits: z
    .object({
      quotaBytes: bytes,
      /** With it the quota is no quota: it is what the disk has before only so much is left. */
      freeBytesMin: bytes,
      memoryBytesMax: bytes,
      transactionCountMax: z.number().int().min(0),
      transactionBytesMax: bytes,
    })
    .partial(),
  steps: z.array(stepSchema),
});

/** One step. Keys are small numbers; `keyBytes` makes one longer. */
export type LimitStep = z.infer<typeof stepSchema>;
/** A program. */
export type LimitProgram = z.infer<typeof programSchema>;
type Limits = LimitProgram['limits'];

const SPACE_BYTES = 66_000;
const MEMORY_BYTES = 2 ** 20;

function drawLimits(prng: Prng): Limits {
  switch (prng.below(5)) {
    case 0:
    case 1:
      return { quotaBytes: SPACE_BYTES };
    case 2:
      return { quotaBytes: SPACE_BYTES, freeBytesMin: 16_384 };
    case 3:
      return { memoryBytesMax: MEMORY_BYTES };
    default:
      return { transactionCountMax: prng.below(4), transactionBytesMax: prng.pick([1, 500, 5000, 200_000]) };
  }
}

function sizesOf(limits: Limits): readonly number[] {
  if (limits.memoryBytesMax !== undefined) return [8, 100_000, 300_000, 300_000];
  if (limits.quotaBytes !== undefined) return [8, 1000, 4000, 12_000, 30_000];
  return [0, 8, 300, 3000];
}

/** Keys at their documented bound now and then, and just past it. */
function drawKey(prng: Prng): { key: number; keyBytes?: number } {
  const number = prng.below(8);
  return prng.chance(0.04) ? { key: number, keyBytes: prng.pick([4096, 4097, 65_535, 65_536]) } : { key: number };
}

function drawStep(prng: Prng, limits: Limits, sizes: readonly number[]): LimitStep {
  const inTransactions = limits.transactionBytesMax !== undefined ? 12 : limits.memoryBytesMax !== undefined ? 5 : 2;
  switch (prng.weighted([14, 3, inTransactions, inTransactions * 2, inTransactions, 1, 4, 2, 1])) {
    case 0:
      return { kind: 'put', ...drawKey(prng), size: prng.pick(sizes) };
    case 1:
      return { kind: 'delete', ...drawKey(prng) };
    case 2:
      return { kind: 'begin', transaction: prng.between(1, 4) };
    case 3:
      return { kind: 'txPut', transaction: prng.between(1, 4), ...drawKey(prng), size: prng.pick(sizes) };
    case 4:
      return { kind: prng.chance(0.6) ? 'commit' : 'abort', transaction: prng.between(1, 4) };
    case 5:
      return { kind: 'abort', transaction: prng.between(1, 4) };
    case 6:
      return { kind: 'flush' };
    case 7:
      return { kind: 'compact' };
    default:
      return prng.chance(0.5) ? { kind: 'reopen' } : { kind: 'reopen', quotaTimes: prng.pick([1, 2]) };
  }
}

/** Brings a program near its limit, so that what is drawn after it happens there. */
function prologue(prng: Prng, limits: Limits): LimitStep[] {
  const put = (size: number): LimitStep => ({ kind: 'put', key: prng.below(8), size });
  if (limits.memoryBytesMax !== undefined) {
    if (prng.chance(0.4)) return Array.from({ length: 3 }, () => put(300_000));
    const transaction = prng.between(1, 4);
    const puts = Array.from({ length: 3 }, (): LimitStep => ({
      kind: 'txPut',
      transaction,
      key: prng.below(8),
      size: 300_000,
    }));
    const end: LimitStep[] = prng.chance(0.6) ? [{ kind: 'abort', transaction }] : [];
    return [{ kind: 'begin', transaction }, ...puts, ...end];
  }
  if (limits.quotaBytes === undefined || prng.chance(0.3)) return [];
  const puts = [30_000, 12_000, 12_000, 8000].map(put);
  return [...puts, { kind: prng.pick(['flush', 'compact', 'reopen'] as const) }];
}

/** Makes keys short and values small, one step at a time. */
function* plainer(program: LimitProgram): Generator<LimitProgram> {
  for (const [at, step] of program.steps.entries()) {
    const put = (changed: LimitStep): LimitProgram => ({ ...program, steps: program.steps.with(at, changed) });
    if ('keyBytes' in step && step.keyBytes !== undefined) {
      const { keyBytes, ...rest } = step;
      if (keyBytes > 0) yield put(rest);
    }
    if ('size' in step && step.size > 8) yield put({ ...step, size: 8 });
    if ('key' in step && step.key > 0) yield put({ ...step, key: 0 });
  }
}

function show(step: LimitStep): string {
  const { kind, ...rest } = step;
  const details = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
  return [kind, ...details].join(' ');
}

/** See the head of the file. */
export const LIMITS: CasePart<LimitProgram> = {
  kind: 'limits',
  claim: 'what passes a limit is refused whole, what does not is not, and reads go on',
  draw(prng) {
    const limits = drawLimits(prng);
    const sizes = sizesOf(limits);
    const steps = Array.from({ length: prng.between(4, 24) }, () => drawStep(prng, limits, sizes));
    return { format: 1, limits, steps: [...prologue(prng, limits), ...steps] };
  },
  parse: (json) => programSchema.parse(json),
  async run(program, count = () => undefined) {
    count('programs under limits');
    return runLimitProgram(program, count);
  },
  *smaller(program) {
    for (const steps of withoutSome(program.steps)) yield { ...program, steps: [...steps] };
    yield* plainer(program);
  },
  tell: (program) =>
    program.steps.map((step, i) => `${i + 1}. ${show(step)} (limits ${JSON.stringify(program.limits)})`),
};
