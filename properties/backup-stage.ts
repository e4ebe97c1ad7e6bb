/**
 * The stage `backup`: programs of writes, full and incremental backups with writes in between their slices, restores to
 * the backup and to points behind it, damaged backups, and opening for reading only. Everything on simulated disks.
 */
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { stageMain, type StageContext } from '../src/report/stage.ts';
import {
  type BackupProgram,
  type BackupStep,
  type BackupWrite,
  type Objection,
  runBackupProgram,
} from './backup-run.ts';

const HASHED_PROGRAMS = 5;
const SHRINK_RUNS_MAX = 600;

const write = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('put'),
    key: z.number().int().min(0),
    size: z.number().int().min(0).max(1_000_000),
    deadline: z.number().int().optional(),
  }),
  z.object({ kind: z.literal('delete'), key: z.number().int().min(0) }),
  z.object({ kind: z.literal('clear'), from: z.number().int().min(0), to: z.number().int().min(0) }),
]);

const schema = z.object({
  format: z.literal(1),
  salt: z.number().int().nonnegative(),
  steps: z.array(
    z.discriminatedUnion('kind', [
      ...write.options,
      z.object({ kind: z.literal('batch'), writes: z.array(write) }),
      z.object({ kind: z.literal('tick'), milliseconds: z.number().int() }),
      z.object({ kind: z.literal('compact') }),
      z.object({ kind: z.literal('flush') }),
      z.object({
        kind: z.literal('backup'),
        incremental: z.boolean(),
        during: z.number().int().min(0),
        burst: z.number().int().min(0),
      }),
    ]),
  ),
});

/** Deadlines lie within so many milliseconds of the start, and ticks are a part of that. */
const DEADLINE_MILLISECONDS = 100;

function drawWrite(random: Prng, keys: number): BackupWrite {
  switch (random.weighted([10, 3, 1])) {
    case 0: {
      const put = {
        kind: 'put',
        key: random.below(keys),
        size: random.pick([8, 8, 8, 100, 100, 600, 3000, 70_000]),
      } as const;
      return random.chance(0.2) ? { ...put, deadline: random.below(DEADLINE_MILLISECONDS) } : put;
    }
    case 1:
      return { kind: 'delete', key: random.below(keys) };
    default: {
      const from = random.below(keys);
      return { kind: 'clear', from, to: random.between(from, keys) };
    }
  }
}

function drawStep(random: Prng, keys: number): BackupStep {
  switch (random.weighted([12, 2, 1, 4, 2, 2])) {
    case 0:
      return drawWrite(random, keys);
    case 1:
      return { kind: 'batch', writes: Array.from({ length: random.between(1, 5) }, () => drawWrite(random, keys)) };
    case 2:
      return { kind: 'tick', milliseconds: random.below(DEADLINE_MILLISECONDS / 4) };
    case 3:
      return { kind: 'compact' };
    case 4:
      return { kind: 'flush' };
    default:
      return {
        kind: 'backup',
        incremental: random.chance(0.7),
        during: random.pick([0, 2, 5, 10, 20]),
        burst: random.pick([1, 3, 10]),
      };
  }
}

/** A backup is endangered by what is rewritten under it: often the tree is, right after it has begun. */
function drawSteps(random: Prng, keys: number): BackupStep[] {
  const step = drawStep(random, keys);
  if (step.kind !== 'backup' || random.chance(0.3)) return [step];
  const put = { kind: 'put', key: random.below(keys), size: random.pick([8, 100, 600]) } as const;
  return [{ kind: 'compact' }, { ...step, during: 20, burst: 3 }, put, { kind: 'compact' }, put, { kind: 'compact' }];
}

function drawProgram(random: Prng): BackupProgram {
  const keys = random.pick([3, 10, 40]);
  const steps = Array.from({ length: random.between(5, 30) }, () => drawSteps(random, keys)).flat();
  return {
    format: 1,
    salt: random.below(2 ** 31),
    steps: [...steps, { kind: 'backup', incremental: true, during: 0, burst: 0 }],
  };
}

/** Removes steps, larger pieces first, while the program still fails in the same way; then makes values small. */
function shrink(first: BackupProgram, wanted: string): { readonly program: BackupProgram; readonly runs: number } {
  let best = first;
  let runs = 0;
  const accepts = (steps: readonly BackupStep[]): boolean => {
    if (runs >= SHRINK_RUNS_MAX) return false;
    runs++;
    const program = { ...best, steps };
    if (runBackupProgram(program).objection?.class !== wanted) return false;
    best = program;
    return true;
  };
  for (let changed = true; changed && runs < SHRINK_RUNS_MAX;) {
    changed = false;
    for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at < best.steps.length;) {
        if (accepts([...best.steps.slice(0, at), ...best.steps.slice(at + size)])) changed = true;
        else at += size;
      }
    }
    for (let at = 0; at < best.steps.length; at++) {
      const step = best.steps[at];
      if (step.kind === 'put' && step.size > 8 && accepts(best.steps.with(at, { ...step, size: 8 }))) changed = true;
    }
  }
  return { program: best, runs };
}

async function fail(context: StageContext, program: BackupProgram, objection: Objection, how: string): Promise<void> {
  await context.fail({
    class: objection.class,
    message: objection.message,
    case: program,
    story: [...program.steps.map((step, i) => `${i + 1}. ${JSON.stringify(step)}`), objection.message],
    operations: program.steps.length,
    shrink: how,
  });
}

const CHECKS = [
  ['backups are what the store was', ['backups', 'increments', 'operations during a backup', 'restores']],
  ['points in time are what the store was', ['points in time', 'points that there are not']],
  ['damaged backups are refused, the target untouched', ['damaged backups']],
  ['opening for reading only changes nothing', ['read-only openings']],
  [
    'a power cut leaves whole backups, and a whole store or none',
    ['backups cut by a power failure', 'restores cut by a power failure'],
  ],
] as const;

await stageMain({
  name: 'backup',
  deterministic: true,
  async run(context) {
    const random = new Prng(context.seed);
    const counts = new Map<string, number>();
    const count = (name: string): void => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      context.count(name);
    };
    for (let n = 0; context.hashOnly ? n < HASHED_PROGRAMS : !context.outOfBudget(); n++) {
      const program = drawProgram(random.fork());
      const { objection, hash } = runBackupProgram(program, count);
      count('programs');
      if (context.hashOnly) context.hash(hash);
      if (objection !== undefined) {
        const small = shrink(program, objection.class);
        const again = runBackupProgram(small.program).objection ?? objection;
        await fail(
          context,
          small.program,
          again,
          `${small.runs} smaller programs tried; ${program.steps.length} steps before`,
        );
        return;
      }
      if (n % 10 === 0) context.progress(`${n} programs`, context.elapsedSeconds(), context.budgetSeconds);
    }
    for (const [name, needs] of CHECKS) {
      const missing = needs.filter((need) => (counts.get(need) ?? 0) === 0);
      const detail = needs.map((need) => `${counts.get(need) ?? 0} ${need}`).join(', ');
      if (missing.length > 0) context.check(name, 'vacuous', `none of: ${missing.join(', ')}`);
      else context.check(name, 'pass', detail);
    }
    context.notTested('archives on a disk that fails');
  },
  async replay(context, json) {
    const parsed = schema.safeParse(json);
    if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a program of this version');
    const { objection } = runBackupProgram(parsed.data);
    if (objection !== undefined) await fail(context, parsed.data, objection, 'replayed');
  },
});
