/**
 * Counterexamples of broken configurations, replayed one by one against the real engine: the correct one must answer as the
 * correct model does; the one without the same guard must break the invariant that the configuration names.
 */
import { join } from 'node:path';
import { LightningError } from '../src/base/errors.ts';
import { sourceExtension, sourceRoot } from '../src/report/sources-hash.ts';
import type { TraceState } from './check-outcome.ts';
import { runChild } from './child-process.ts';
import { type BrokenConfiguration, modelsDirectory } from './configurations.ts';
import { GUARDS } from './replay-guards.ts';
import { replayGroup } from './replay-group.ts';
import { replayMvcc } from './replay-mvcc.ts';
import { replaySerializable } from './replay-serializable.ts';
import { replayTree } from './replay-tree.ts';
import type { Replay } from './replay-verdict.ts';
import { replayWal } from './replay-wal.ts';
import { type ModelState, parseTlaValue } from './state-graph.ts';

const TIME_LIMIT_SECONDS = 120;
/** A function that nobody asks for, and that is written in a way of its own. */
const LEFT_OUT = 'maps';

/** A counterexample and the invariant that its last state violates. */
export interface Counterexample {
  readonly model: BrokenConfiguration['model'];
  readonly violates: string;
  readonly states: readonly ModelState[];
}

/** The states of a counterexample, as values. Each state has every variable. */
export function counterexampleOf(
  { model, violates }: Pick<BrokenConfiguration, 'model' | 'violates'>,
  trace: readonly TraceState[],
): Counterexample {
  const states = trace.map(({ values }) =>
    Object.fromEntries(
      [...values].filter(([name]) => name !== LEFT_OUT).map(([name, text]) => [name, parseTlaValue(text)]),
    ),
  );
  return { model, violates, states };
}

/** Replays a counterexample on the engine that this process has loaded. */
export async function replayCounterexample({ model, violates, states }: Counterexample): Promise<Replay> {
  if (model === 'WALRecovery') return replayWal(states, violates);
  if (model === 'CopyOnWriteTree') return replayTree(states, violates);
  if (model === 'GroupCommit') return replayGroup(states, violates);
  return violates === 'CommitsAreSerializable' ? replaySerializable(states) : replayMvcc(states, violates);
}

function isReplay(value: unknown): value is Replay {
  return typeof value === 'object' && value !== null && 'observed' in value && Array.isArray(value.observed);
}

/**
 * Replays a counterexample in a process of its own, on the engine without a guard.
 * @throws LightningError `LIGHTNING_HARNESS` when the process did not answer
 */
export async function replayWithout(guard: string, counterexample: Counterexample): Promise<Replay> {
  const loader = join(sourceRoot, `planted-bugs/loader${sourceExtension}`);
  const program = join(modelsDirectory, `replay-child${sourceExtension}`);
  const { LIGHTNING_EDIT_TALLY: _, ...environment } = process.env;
  const child = await runChild(process.execPath, ['--import', loader, program], {
    input: JSON.stringify(counterexample),
    timeLimitSeconds: TIME_LIMIT_SECONDS,
    environment: { ...environment, LIGHTNING_PLANTED_BUG: guard },
  });
  const answer: unknown = child.exitCode === 0 ? JSON.parse(child.output) : undefined;
  if (isReplay(answer)) return answer;
  const why = child.startError?.message ?? (child.timedOut ? 'it did not end' : child.errors.slice(0, 400));
  throw new LightningError('LIGHTNING_HARNESS', `a replay without the guard ${guard}: ${why}`);
}

/** What replaying one counterexample came to. */
export interface ReplayRow {
  readonly name: string;
  readonly violates: string;
  readonly guard: string;
  readonly calls: readonly string[];
  /** On the correct engine: in how many ways it was replayed, and what it broke. */
  readonly runs: number;
  readonly broke: string | undefined;
  /** Without the guard: how the named invariant is broken; `undefined` where it was not, or nobody asked. */
  readonly without: string | undefined;
}

/**
 * Replays the counterexample of a configuration that has a guard in the engine.
 * @param withoutGuard whether it is also replayed without the guard
 */
export async function replayConfiguration(
  configuration: Pick<BrokenConfiguration, 'name' | 'model' | 'violates'>,
  trace: readonly TraceState[],
  withoutGuard: boolean,
): Promise<ReplayRow | undefined> {
  const { name, violates } = configuration;
  if (!Object.hasOwn(GUARDS, name)) return undefined;
  const guard = GUARDS[name];
  const counterexample = counterexampleOf(configuration, trace);
  const { calls, runs, observed } = await replayCounterexample(counterexample);
  const broke = observed.map(({ invariant, text }) => `${invariant}: ${text}`).join('; ');
  const found = withoutGuard ? (await replayWithout(guard, counterexample)).observed : [];
  const without = found.find(({ invariant }) => invariant === violates)?.text;
  return { name, violates, guard, calls, runs, broke: broke === '' ? undefined : broke, without };
}
