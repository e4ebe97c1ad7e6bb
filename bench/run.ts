/** One whole run of the bench: which engines are here, what was measured, which targets hold. */
import { isLightningError } from '../src/base/errors.ts';
import { type BulkLoad, measureBulk } from './bulk.ts';
import { type DurableFigures, measureDurable } from './durable.ts';
import { type Figure, figureOf, type Target, targetOf } from './figures.ts';
import { type Machine, machineOf, type Workspace } from './ground.ts';
import type { Plan } from './plan.ts';
import { measureRecoveryApart, type RecoveryFigures } from './recovery.ts';
import type { BenchEngine } from './store.ts';
import { type CpuFigures, measureCpu, type Progress } from './workloads.ts';

/** Format of a result file; a later one has a greater number. */
export const RESULT_FORMAT = 1;

export interface EngineNote {
  readonly name: string;
  readonly version: string | undefined;
  /** Calls that were measured. */
  readonly calls: Readonly<Record<string, string>>;
  /** Why it was not measured. */
  readonly absent: string | undefined;
}

/** What a run found. Plain data; the same as the JSON file. */
export interface BenchResult {
  readonly format: number;
  /** Day of the run, `2026-11-20`. */
  readonly date: string;
  readonly ours: string;
  readonly plan: Plan;
  readonly machine: Machine;
  readonly engines: readonly EngineNote[];
  readonly figures: readonly Figure[];
  /** `refused`: why durability was not measured. */
  readonly durable: DurableFigures | { readonly refused: string };
  readonly bulk: Readonly<Record<'ascending' | 'random', readonly BulkLoad[]>>;
  readonly recovery: RecoveryFigures;
  readonly targets: readonly Target[];
}

const TITLES: Readonly<Record<keyof CpuFigures, string>> = {
  put: 'single put, no sync',
  putAwaited: 'single put awaited, no sync',
  batch: 'batch of 1,000 puts, a row',
  get: 'random get, on disk, warm cache',
  scan: 'full scan, a row',
  deleteHalf: 'delete half, a row',
};

/**
 * Measures.
 * @param engines our own first
 */
export async function runBench(
  engines: readonly BenchEngine[],
  space: Workspace,
  plan: Plan,
  date: string,
  progress: Progress,
): Promise<BenchResult> {
  const machine = machineOf(space.root);
  const ours = engines[0].name;
  const { present, notes } = await whoIsHere(engines);
  const measured = await measureCpu(present, space, plan, progress);
  const figures = (Object.keys(TITLES) as (keyof CpuFigures)[]).map((id) =>
    figureOf(id, TITLES[id], 'CPU microseconds', measured[id], ours),
  );
  const durable = await durableOrRefusal(present, space, plan, machine, progress);
  const bulk = {
    ascending: await measureBulk(present, space, plan, 'ascending', progress),
    random: await measureBulk(present, space, plan, 'random', progress),
  };
  progress('recovery');
  const recovery = measureRecoveryApart(space, plan);
  const targets = targetsOf(ours, figures, durable, bulk.ascending, recovery);
  return {
    format: RESULT_FORMAT,
    date,
    ours,
    plan,
    machine,
    engines: notes,
    figures,
    durable,
    bulk,
    recovery,
    targets,
  };
}

async function whoIsHere(
  engines: readonly BenchEngine[],
): Promise<{ readonly present: readonly BenchEngine[]; readonly notes: readonly EngineNote[] }> {
  const present: BenchEngine[] = [];
  const notes: EngineNote[] = [];
  for (const engine of engines) {
    try {
      const { version, calls } = await engine.prepare();
      present.push(engine);
      notes.push({ name: engine.name, version, calls, absent: undefined });
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_MISSING_CAPABILITY')) throw error;
      notes.push({ name: engine.name, version: undefined, calls: {}, absent: error.message });
    }
  }
  return { present, notes };
}

/** Durability is a figure only where an fsync reaches something that survives. */
export async function durableOrRefusal(
  engines: readonly BenchEngine[],
  space: Workspace,
  plan: Plan,
  { medium }: Machine,
  progress: Progress,
): Promise<BenchResult['durable']> {
  if (medium.volatile) {
    const refused = `durability is not measured on ${medium.fileSystem}: an fsync there reaches nothing; choose a folder on a disk with --dir`;
    progress(refused);
    return { refused };
  }
  progress('durable puts');
  return measureDurable(engines, space, plan);
}

function targetsOf(
  ours: string,
  figures: readonly Figure[],
  durable: BenchResult['durable'],
  ascending: readonly BulkLoad[],
  recovery: RecoveryFigures,
): Target[] {
  const refused = 'refused' in durable ? durable.refused : undefined;
  const overBare = (call: string): number | undefined =>
    'refused' in durable
      ? undefined
      : durable.puts.find((put) => put.engine === ours && put.call === call)?.overBare.median;
  const against = (id: string): number | undefined =>
    figures.find((figure) => figure.id === id)?.peerOverOurs['classic-level']?.median;
  const absent = 'classic-level is not here';
  return [
    targetOf('put-sync', 'putSync p50 over append + fdatasync', 'at most', 1.3, overBare('synchronous'), refused),
    targetOf('put', 'put p50 over append + fdatasync', 'at most', 1.8, overBare('asynchronous'), refused),
    targetOf('batch', "batch put, rate over classic-level's", 'at least', 1, against('batch'), absent),
    targetOf('get', "random get, rate over classic-level's", 'at least', 1, against('get'), absent),
    targetOf('scan', "full scan, rate over classic-level's", 'at least', 1, against('scan'), absent),
    targetOf(
      'write-amplification',
      'write amplification of the ascending bulk load, all merged',
      'below',
      3.5,
      ascending.find((load) => load.engine === ours)?.compacted.writeAmplification,
      'this system does not count the bytes a process writes',
    ),
    targetOf(
      'recovery',
      'recovery of 500 records on the simulated disk by compiled code, p99 in CPU milliseconds of the process',
      'below',
      1,
      recovery.simulated.p99 / 1000,
    ),
  ];
}
