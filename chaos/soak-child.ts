/**
 * The process that is watched: repeats a program on an engine of its own and measures itself after a full garbage
 * collection. Started with `--expose-gc`. It keeps no measurements, so that it does not grow by watching.
 *
 * A live negative control plants leaks of a known size: a retained array, descriptors, a growing file.
 */
import { monotonicMilliseconds } from '../src/base/clock.ts';
import { LightningError } from '../src/base/errors.ts';
import { receiveRequest, tell, tellAndEnd } from './child.ts';
import { FileLeak, folderSize, descriptorCount, makeFolder, removeFolder, DescriptorLeak } from './real-files.ts';
import { classOf, SoakEngine } from './soak-engine.ts';
import type { Measurement } from './soak-metrics.ts';
import type { Step } from './soak-program.ts';

/** Growth per million operations that is planted. */
export interface PlantedLeak {
  readonly heap: number;
  readonly descriptors: number;
  readonly disk: number;
}

/** What this process is asked to do. */
export interface SoakRequest {
  readonly directory: string;
  readonly program: readonly Step[];
  readonly seconds: number;
  /** Whether fsyncs are made. */
  readonly synced: boolean;
  /** A slow machine gets up to three times as long for so many measurements. */
  readonly measurementsMin?: number;
  /** Ends earlier after so many measurements. */
  readonly measurementsMax?: number;
  readonly repetitionsPerMeasurement: number;
  /** At least so long between two measurements; a long run needs few. */
  readonly pauseMilliseconds?: number;
  readonly leak?: PlantedLeak;
}

/** What it says. */
export type SoakMessage =
  | { readonly kind: 'measured'; readonly measurement: Measurement; readonly repetitions: number }
  | { readonly kind: 'failed'; readonly class: string; readonly error: string; readonly repetitions: number }
  | { readonly kind: 'done' };

/** How much longer than asked a run may take to have enough measurements. */
const PATIENCE = 3;

const request = await receiveRequest<SoakRequest>();
const collectGarbage = globalThis.gc;
if (collectGarbage === undefined) throw new LightningError('LIGHTNING_HARNESS', 'started without --expose-gc');

let stopped = false;
process.on('message', () => {
  stopped = true;
});
// An interrupt reaches the whole group; the parent decides, and tells.
process.on('SIGINT', () => undefined);

removeFolder(request.directory);
makeFolder(request.directory);
const engine = new SoakEngine(request.directory, request.synced);
const retained: number[][] = [];
const descriptorLeak = new DescriptorLeak();
const fileLeak = new FileLeak(`${request.directory}/stray`);
let leakedUpTo = 0;

function plantLeak(leak: PlantedLeak): void {
  const millions = (engine.operations - leakedUpTo) / 1e6;
  leakedUpTo = engine.operations;
  retained.push(new Array<number>(Math.ceil((leak.heap * millions) / 8)).fill(0.5));
  descriptorLeak.growTo((leak.descriptors * engine.operations) / 1e6);
  fileLeak.growTo((leak.disk * engine.operations) / 1e6);
}

function measure(): Measurement {
  collectGarbage?.();
  const memory = process.memoryUsage();
  const folder = folderSize(request.directory);
  const statistics = engine.statistics;
  return {
    operations: engine.operations,
    heap: memory.heapUsed + memory.external,
    descriptors: descriptorCount(),
    disk: folder.bytes,
    log: folder.logBytes,
    versions: statistics.runBytes + (statistics.treeBlocks - statistics.treeBlocksFree) * statistics.blockSizeBytes,
    files: folder.files,
    snapshots: statistics.snapshotCount,
  };
}

async function run(): Promise<void> {
  const start = monotonicMilliseconds();
  const elapsedSeconds = (): number => (monotonicMilliseconds() - start) / 1000;
  const measurementsMin = request.measurementsMin ?? 0;
  const measurementsMax = request.measurementsMax ?? Infinity;
  const pauseMilliseconds = request.pauseMilliseconds ?? 0;
  let measured = 0;
  let due = monotonicMilliseconds() + pauseMilliseconds;
  const isDone = (): boolean => {
    if (stopped || measured >= measurementsMax) return true;
    return elapsedSeconds() >= request.seconds * (measured < measurementsMin ? PATIENCE : 1);
  };
  while (!isDone()) {
    for (let i = 0; i < request.repetitionsPerMeasurement; i++) {
      engine.repeat(request.program);
      repetitions++;
    }
    if (monotonicMilliseconds() >= due) {
      if (request.leak !== undefined) plantLeak(request.leak);
      tell({ kind: 'measured', measurement: measure(), repetitions } satisfies SoakMessage);
      measured++;
      due = monotonicMilliseconds() + pauseMilliseconds;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  engine.close();
}

let repetitions = 0;
try {
  await run();
  removeFolder(request.directory);
  tellAndEnd({ kind: 'done' } satisfies SoakMessage);
} catch (error) {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  tellAndEnd({ kind: 'failed', class: classOf(error), error: text, repetitions } satisfies SoakMessage);
}
