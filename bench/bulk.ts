/** Bulk loads in batches: CPU time, bytes written, bytes on disk, merges. Engines take turns part by part. */
import { cpuSeconds } from '../src/base/clock.ts';
import { bytesWritten, removeFolder, sizeOf, type Workspace } from './ground.ts';
import { charged } from './interleave.ts';
import { makeRows, ROW_BYTES } from './material.ts';
import type { Plan } from './plan.ts';
import type { BenchEngine, BenchStore } from './store.ts';

/** One engine's load. Bytes are those handed to write calls, all threads. */
export interface BulkLoad {
  readonly engine: string;
  readonly cpuSeconds: number;
  /** Bytes written over bytes of keys and values, to the end of the background work of the load. */
  readonly writeAmplification: number | undefined;
  readonly bytesWritten: number | undefined;
  readonly bytesOnDisk: number;
  readonly counts: Readonly<Record<string, number>>;
  /** The same after everything was brought into its final place. */
  readonly compacted: {
    readonly cpuSeconds: number;
    readonly writeAmplification: number | undefined;
    readonly bytesOnDisk: number;
    readonly counts: Readonly<Record<string, number>>;
  };
}

interface Loading {
  readonly engine: string;
  readonly folder: string;
  readonly store: BenchStore;
  seconds: number;
  bytes: number;
}

export async function measureBulk(
  engines: readonly BenchEngine[],
  space: Workspace,
  plan: Plan,
  order: 'ascending' | 'random',
  progress: (line: string) => void,
): Promise<BulkLoad[]> {
  const rows = makeRows(plan.bulkRows, order, plan.seed);
  const loads: Loading[] = [];
  const settings = { durable: false, cacheBytes: plan.cacheBytes, writeBufferBytes: plan.writeBufferBytes };
  for (const engine of engines) {
    const folder = space.folder();
    loads.push({ engine: engine.name, folder, store: await engine.open(folder, settings), seconds: 0, bytes: 0 });
  }
  const partRows = plan.bulkRows / plan.bulkParts;
  for (let part = 0; part < plan.bulkParts; part++) {
    progress(`bulk load, ${order}: part ${part + 1} of ${plan.bulkParts}`);
    for (const load of loads) {
      await count(load, async () => {
        for (let from = part * partRows; from < (part + 1) * partRows; from += plan.batchRows) {
          await load.store.putBatch({ rows, from, to: from + plan.batchRows });
        }
      });
    }
  }
  const results: BulkLoad[] = [];
  for (const load of loads) results.push(await finish(load, plan));
  return results;
}

async function count(load: Loading, work: () => unknown): Promise<void> {
  const before = bytesWritten();
  load.seconds += await charged(load.store, work);
  load.bytes += (bytesWritten() ?? NaN) - (before ?? NaN);
}

function amplification(bytes: number, plan: Plan): number | undefined {
  return Number.isNaN(bytes) ? undefined : bytes / (plan.bulkRows * ROW_BYTES);
}

async function finish(load: Loading, plan: Plan): Promise<BulkLoad> {
  const { engine, folder, store, seconds, bytes } = load;
  const bytesOnDisk = sizeOf(folder).occupied;
  const counts = store.counts();
  const begin = cpuSeconds();
  await count(load, () => store.compact());
  const compacted = {
    cpuSeconds: seconds + cpuSeconds() - begin,
    writeAmplification: amplification(load.bytes, plan),
    bytesOnDisk: sizeOf(folder).occupied,
    counts: store.counts(),
  };
  await store.close();
  removeFolder(folder);
  return {
    engine,
    cpuSeconds: seconds,
    writeAmplification: amplification(bytes, plan),
    bytesWritten: Number.isNaN(bytes) ? undefined : bytes,
    bytesOnDisk,
    counts,
    compacted,
  };
}
