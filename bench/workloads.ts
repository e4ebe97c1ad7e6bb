/** Figures on CPU time: single puts, batches, gets, scans and deletes, engines in turn. */
import { LightningError } from '../src/base/errors.ts';
import type { Workspace } from './ground.ts';
import { type Contender, interleaved, untilQuiet } from './interleave.ts';
import { drawRows, makeRows, type Rows } from './material.ts';
import type { Plan } from './plan.ts';
import type { BenchEngine } from './store.ts';

/** CPU microseconds an operation, by engine and round. */
export type Measured = Map<string, readonly number[]>;

/** Values of figures, by id. */
export interface CpuFigures {
  readonly put: Measured;
  readonly putAwaited: Measured;
  readonly batch: Measured;
  readonly get: Measured;
  readonly scan: Measured;
  readonly deleteHalf: Measured;
}

export type Progress = (line: string) => void;

function openSettings(plan: Plan): { durable: boolean; cacheBytes: number; writeBufferBytes: number } {
  return { durable: false, cacheBytes: plan.cacheBytes, writeBufferBytes: plan.writeBufferBytes };
}

async function openAll(engines: readonly BenchEngine[], space: Workspace, plan: Plan): Promise<Contender[]> {
  const contenders: Contender[] = [];
  for (const engine of engines) {
    contenders.push({ name: engine.name, store: await engine.open(space.folder(), openSettings(plan)) });
  }
  return contenders;
}

async function closeAll(contenders: readonly Contender[]): Promise<void> {
  for (const { store } of contenders) await store.close();
}

function perOperation(seconds: ReadonlyMap<string, readonly number[]>, operations: number): Measured {
  return new Map([...seconds].map(([name, rounds]) => [name, rounds.map((s) => (s * 1e6) / operations)]));
}

/** Measures everything that is counted in CPU time, on stores of its own. */
export async function measureCpu(
  engines: readonly BenchEngine[],
  space: Workspace,
  plan: Plan,
  progress: Progress,
): Promise<CpuFigures> {
  const all = plan.rounds + plan.warmUps;
  progress('single puts');
  const put = await measurePuts(engines, space, plan, false);
  progress('single puts, awaited');
  const putAwaited = await measurePuts(engines, space, plan, true);
  progress('batches');
  const contenders = await openAll(engines, space, plan);
  const rows = makeRows(all * plan.batches * plan.batchRows, 'random', plan.seed);
  const batch = await interleaved(contenders, plan.rounds, plan.warmUps, async ({ store }, round) => {
    for (let i = 0; i < plan.batches; i++) {
      const from = (round * plan.batches + i) * plan.batchRows;
      await store.putBatch({ rows, from, to: from + plan.batchRows });
    }
  });
  await closeAll(contenders);
  return {
    put,
    putAwaited,
    batch: perOperation(batch, plan.batches * plan.batchRows),
    ...(await measureReads(engines, space, plan, progress)),
  };
}

async function measurePuts(
  engines: readonly BenchEngine[],
  space: Workspace,
  plan: Plan,
  awaited: boolean,
): Promise<Measured> {
  const opened = await openAll(engines, space, plan);
  const rows = makeRows((plan.rounds + plan.warmUps) * plan.puts, 'random', plan.seed);
  const contenders = awaited ? opened.filter(({ store }) => store.putEachAwaited !== undefined) : opened;
  const seconds = await interleaved(contenders, plan.rounds, plan.warmUps, ({ store }, round) => {
    const slice = { rows, from: round * plan.puts, to: (round + 1) * plan.puts };
    return awaited ? store.putEachAwaited?.(slice) : store.putEach(slice);
  });
  await closeAll(opened);
  return perOperation(seconds, plan.puts);
}

/** Loads, compacts and opens again, so that gets and scans read what lies on disk. */
async function openLoaded(engine: BenchEngine, space: Workspace, plan: Plan, rows: Rows): Promise<Contender> {
  const folder = space.folder();
  const loading = await engine.open(folder, openSettings(plan));
  for (let from = 0; from < rows.count; from += plan.batchRows) {
    await loading.putBatch({ rows, from, to: Math.min(rows.count, from + plan.batchRows) });
  }
  await loading.compact();
  await untilQuiet(loading);
  await loading.close();
  return { name: engine.name, store: await engine.open(folder, openSettings(plan)) };
}

function expect(found: number, wanted: number, name: string, what: string): void {
  if (found === wanted) return;
  throw new LightningError('LIGHTNING_HARNESS', `${name}: ${what} gave ${found} rows where there are ${wanted}`);
}

async function measureReads(
  engines: readonly BenchEngine[],
  space: Workspace,
  plan: Plan,
  progress: Progress,
): Promise<Pick<CpuFigures, 'get' | 'scan' | 'deleteHalf'>> {
  progress('loading the store that is read');
  const rows = makeRows(plan.storedRows, 'random', plan.seed);
  const contenders: Contender[] = [];
  for (const engine of engines) contenders.push(await openLoaded(engine, space, plan, rows));
  progress('random gets');
  const drawn = Array.from({ length: plan.rounds + plan.warmUps }, (_, round) =>
    drawRows(plan.gets, plan.storedRows, plan.seed + round),
  );
  const get = await interleaved(contenders, plan.rounds, plan.warmUps, async ({ name, store }, round) => {
    expect(await store.getEach(rows, drawn[round]), plan.gets, name, 'getting');
  });
  progress('full scans');
  const scan = await interleaved(contenders, plan.rounds, plan.warmUps, async ({ name, store }) => {
    expect(await store.scanAll(), plan.storedRows, name, 'scanning');
  });
  progress('deleting half');
  // Each round deletes every second row of its own part; there is only one half, so nothing of it is a warm-up.
  const part = Math.floor(plan.storedRows / plan.rounds / plan.batchRows) * plan.batchRows;
  const deleteHalf = await interleaved(contenders, plan.rounds, 0, async ({ store }, round) => {
    for (let from = round * part; from < (round + 1) * part; from += plan.batchRows) {
      await store.deleteBatch({ rows, from, to: from + plan.batchRows });
    }
  });
  for (const { name, store } of contenders) {
    expect(await store.scanAll(), plan.storedRows - (part / 2) * plan.rounds, name, 'scanning after the deletes');
  }
  await closeAll(contenders);
  return {
    get: perOperation(get, plan.gets),
    scan: perOperation(scan, plan.storedRows),
    deleteHalf: perOperation(deleteHalf, part / 2),
  };
}
