/**
 * CPU time of opening a store whose process died with 500 records in its log: on the simulated disk, where no system
 * call is in it, and on the real one, with its number of fsyncs.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { cpuSeconds, threadCpuSeconds } from '../src/base/clock.ts';
import { LightningError } from '../src/base/errors.ts';
import { quantile } from '../src/base/statistics.ts';
import { Engine } from '../src/engine/index.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { NodeVfs } from '../src/vfs/node-vfs.ts';
import type { Vfs } from '../src/vfs/vfs.ts';
import { CountingVfs } from './counting-vfs.ts';
import { removeFolder, type Workspace } from './ground.ts';
import { makeRows } from './material.ts';
import type { Plan } from './plan.ts';

export const RECORDS = 500;
/**
 * Uncounted recoveries for one that is counted. After 2,000 the compilers are still at work on other threads, in a hundredth
 * of the recoveries up to 5 ms (measured); after 6,000 hardly any more. The collection of garbage is counted wherever it falls.
 */
const WARM_UPS_PER_RECOVERY = 3;

/** CPU microseconds of one recovery. */
interface Used {
  readonly process: number;
  readonly thread: number;
}

/**
 * CPU microseconds of one recovery by compiled code (a cold process takes longer): of the whole process, threads that
 * collect garbage and compile included.
 */
export interface RecoveryFigure {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly recoveries: number;
  /** Of the thread that recovers, alone. */
  readonly thread: { readonly p50: number; readonly p99: number };
}

export interface RecoveryFigures {
  readonly records: number;
  readonly simulated: RecoveryFigure;
  readonly real: RecoveryFigure & {
    readonly fsyncs: number;
    readonly fileFsyncs: number;
    readonly folderFsyncs: number;
  };
}

/** What of a plan this measurement needs. */
type RecoveryPlan = Pick<Plan, 'seed' | 'recoveries' | 'realRecoveries'>;

/**
 * Measures in a process of its own, whose heap holds what a process that opens its store holds.
 * @throws LIGHTNING_HARNESS when that process broke.
 */
export function measureRecoveryApart(space: Workspace, plan: RecoveryPlan): RecoveryFigures {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const program = fileURLToPath(new URL(`./recovery-child${extension}`, import.meta.url));
  const numbers = [plan.seed, plan.recoveries, plan.realRecoveries].map(String);
  let printed: string;
  try {
    printed = execFileSync(process.execPath, [program, space.root, ...numbers], { encoding: 'utf8' });
  } catch (cause) {
    throw new LightningError('LIGHTNING_HARNESS', 'the process that measures recovery broke', {}, cause);
  }
  const figures: RecoveryFigures = JSON.parse(printed);
  if (figures.records !== RECORDS) throw new LightningError('LIGHTNING_HARNESS', 'these are not figures of recovery');
  return figures;
}

/** Measures in this process: compiled code, the simulated disk first. */
export function measureRecovery(space: Workspace, plan: RecoveryPlan): RecoveryFigures {
  const image = storeThatDied(plan.seed);
  const simulated: Used[] = [];
  for (let i = -WARM_UPS_PER_RECOVERY * plan.recoveries; i < plan.recoveries; i++) {
    // The disk is made before the clock starts.
    const used = recover(new SimulatedDisk({ image }));
    if (i >= 0) simulated.push(used);
  }
  const files = new Map(image.paths().map((path) => [path, image.get(path) ?? new Uint8Array(0)]));
  const real: Used[] = [];
  let counts = { files: 0, folders: 0 };
  for (let i = -Math.ceil(plan.realRecoveries / 10); i < plan.realRecoveries; i++) {
    const folder = space.copyOf(files);
    const vfs = new CountingVfs(new NodeVfs(folder));
    const used = recover(vfs, () => (counts = { files: vfs.fileSyncs, folders: vfs.folderSyncs }));
    if (i >= 0) real.push(used);
    removeFolder(folder);
  }
  return {
    records: RECORDS,
    simulated: figureOf(simulated),
    real: {
      ...figureOf(real),
      fsyncs: counts.files + counts.folders,
      fileFsyncs: counts.files,
      folderFsyncs: counts.folders,
    },
  };
}

/** The files of a store whose process was killed after 500 durable commits of one put each. */
function storeThatDied(seed: number): DiskImage {
  const disk = new SimulatedDisk();
  const engine = Engine.open({ vfs: disk });
  const rows = makeRows(RECORDS, 'random', seed);
  for (let row = 0; row < RECORDS; row++) {
    engine.commit([{ type: 'put', key: rows.key(row), value: rows.value(row) }]);
    engine.sync();
  }
  return disk.currentImage();
}

/** Opens, and closes outside the measurement. */
function recover(vfs: Vfs, opened: () => void = () => undefined): Used {
  const before = cpuSeconds();
  const threadBefore = threadCpuSeconds();
  const engine = Engine.open({ vfs });
  // In this order: Linux brings a running thread's own time up to date when it is asked for that of the process.
  const used = cpuSeconds() - before;
  const thread = threadCpuSeconds() - threadBefore;
  opened();
  if (engine.recovery.recordsReplayed !== RECORDS) {
    throw new LightningError('LIGHTNING_HARNESS', `${engine.recovery.recordsReplayed} records were replayed`);
  }
  engine.close();
  return { process: used * 1e6, thread: thread * 1e6 };
}

function figureOf(all: readonly Used[]): RecoveryFigure {
  const whole = all.map((used) => used.process);
  const thread = all.map((used) => used.thread);
  return {
    p50: quantile(whole, 0.5),
    p99: quantile(whole, 0.99),
    max: quantile(whole, 1),
    recoveries: all.length,
    thread: { p50: quantile(thread, 0.5), p99: quantile(thread, 0.99) },
  };
}
