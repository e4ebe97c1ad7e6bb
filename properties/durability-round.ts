/**
 * Concurrent clients, several power cuts in one history, one cut for each over all keys: batches, writes, reads and scans
 * through the asynchronous face of the database on a simulated disk. The power goes in the middle of everything; what is
 * under way then has no answer, and the next clients find what the crash left. A round is a function of its description.
 */
import { ManualClock } from '../src/base/clock.ts';
import { Prng } from '../src/base/prng.ts';
import {
  checkDurability,
  type Cell,
  type History,
  HistoryRecorder,
  type HistoryVerdict,
} from '../src/checkers/index.ts';
import { Database, type DatabaseOptions } from '../src/database/index.ts';
import { RandomChooser } from '../src/faults/chooser.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { cellsOf, hexOf, historyOutcome, textOf } from '../src/workload/clients.ts';
import { SimulatedSchedule } from '../src/workload/schedule.ts';
import { ConcurrentSession } from './concurrent-session.ts';

/** Plain data that replays. */
export interface DurabilityRound {
  readonly seed: number;
  readonly clients: number;
  /** Operations called before the power goes, in each era; the last era ends by itself. */
  readonly eras: readonly number[];
  readonly durability: 'commit' | 'none';
  readonly options: Readonly<Record<string, string | number>>;
}

const KEYS = ['a', 'b', 'c'];

/** What was promised of the round: everything acknowledged or read survives, or nothing but some prefix. */
export function judgeDurability(history: History, durability: DurabilityRound['durability']): HistoryVerdict {
  const promised = durability === 'commit' ? ({ survives: 'acknowledged', readsAreDurable: true } as const) : {};
  return checkDurability(history, { ...promised, budget: { stepsMax: 3_000_000, statesMax: 300_000 } });
}

/** Draws a round. */
export function drawDurabilityRound(random: Prng, durability: DurabilityRound['durability']): DurabilityRound {
  return {
    seed: random.below(2 ** 32),
    clients: random.between(2, 5),
    eras: Array.from({ length: random.between(2, 4) }, () => random.between(3, 12)),
    durability,
    options: {
      memtableBytes: random.pick([1, 100, 500, 1_000_000]),
      runCountMax: random.pick([1, 2, 4]),
      frozenCountMax: random.pick([1, 2]),
      sliceBytes: random.pick([1, 64]),
    },
  };
}

/** Runs a round. @throws whatever the harness itself does wrong; the engine's errors are outcomes */
export async function runDurabilityRound(round: DurabilityRound): Promise<History> {
  const prng = new Prng(round.seed);
  const clock = new ManualClock(0);
  const recorder = new HistoryRecorder(clock);
  const options: Partial<DatabaseOptions> = { ...round.options, durability: round.durability, clock };
  let disk = new SimulatedDisk({ syncCompletion: 'manual' });
  for (const [era, operations] of round.eras.entries()) {
    const last = era === round.eras.length - 1;
    const database = Database.openOn(disk, options);
    if (era > 0) recorder.reopen();
    await runEra(round, { era, operations, last, prng: prng.fork(), database, disk, recorder });
    if (last) {
      const closing = database.close();
      disk.completeSyncs();
      await closing;
      continue;
    }
    recorder.crash();
    // The database that was running is left to itself: its disk is no longer there.
    const image = disk.crashImage(new RandomChooser(prng.fork()));
    disk = new SimulatedDisk({ image, syncCompletion: 'manual' });
  }
  return recorder.history();
}

interface Era {
  readonly era: number;
  readonly operations: number;
  readonly last: boolean;
  readonly prng: Prng;
  readonly database: Database;
  readonly disk: SimulatedDisk;
  readonly recorder: HistoryRecorder;
}

/** Until the clients have called so many operations, or, in the last era, have their answers. */
async function runEra(
  round: DurabilityRound,
  { era, operations, last, prng, database, disk, recorder }: Era,
): Promise<void> {
  const schedule = new SimulatedSchedule(prng.fork());
  const session = new ConcurrentSession(database, schedule.pause);
  let [called, ended] = [0, false];
  const client = async (number: number): Promise<void> => {
    while (called < operations && !ended) await oneOperation(session, recorder, prng, number, `e${era}o${called++}`);
  };
  const clients = Promise.all(Array.from({ length: round.clients }, (_, number) => client(number)));
  // The cut comes some steps after the last call, so that operations are met at every stage of theirs.
  const cut = async (): Promise<void> => {
    while (called < operations) await schedule.pause();
    for (let steps = prng.below(12); steps > 0; steps--) await schedule.pause();
  };
  const platter = async (): Promise<void> => {
    while (!ended) {
      await schedule.pause();
      disk.completeSyncs();
    }
  };
  const end = (last ? clients : Promise.race([clients, cut()])).then(() => void (ended = true));
  platter().catch(() => undefined);
  await schedule.run([end]);
}

async function oneOperation(
  session: ConcurrentSession,
  recorder: HistoryRecorder,
  prng: Prng,
  client: number,
  value: string,
): Promise<void> {
  const key = prng.pick(KEYS);
  const kind = prng.weighted([4, 2, 3, 2]);
  if (kind < 2) {
    const keys = kind === 0 ? [key] : prng.shuffle([...KEYS]).slice(0, 2);
    const writes = keys.map((one): Cell => ({ key: one, value }));
    const id = recorder.call(client, kind === 0 ? 'write' : 'batch', writes);
    const operations = keys.map((one) => ({ kind: 'put' as const, key: hexOf(one), value: hexOf(value) }));
    recorder.return(client, id, historyOutcome(await session.execute({ kind: 'batch', operations })));
  } else if (kind === 2) {
    const id = recorder.call(client, 'read');
    const outcome = await session.execute({ kind: 'get', key: hexOf(key) });
    const seen = outcome.kind === 'value' ? textOf(outcome.value) : null;
    recorder.return(client, id, historyOutcome(outcome), [{ key, value: seen }]);
  } else {
    const id = recorder.call(client, 'scan');
    const outcome = await session.execute({ kind: 'scan', range: {} });
    recorder.return(client, id, historyOutcome(outcome), cellsOf(outcome, KEYS));
  }
}

/** Rounds of the same store with two or three clients and few operations, the smallest first. */
export function* smallerRounds(round: DurabilityRound, count: number): Generator<DurabilityRound> {
  const random = new Prng(round.seed);
  for (let n = 0; n < count; n++) {
    const size = 2 + Math.floor((3 * n) / count);
    const options = random.chance(0.7) ? round.options : drawDurabilityRound(random, round.durability).options;
    yield { ...round, options, seed: random.below(2 ** 32), clients: random.between(2, 3), eras: [size, size] };
  }
}

/** A round as lines for a person. */
export function tellDurabilityRound(round: DurabilityRound, history: History): string[] {
  const lines = history.operations.map(({ id, client, kind, reads, writes, outcome, call, return: end }) => {
    const cells = (list: readonly Cell[]): string =>
      list.map(({ key, value }) => `${key}=${value ?? 'absent'}`).join(' ');
    const did = [reads.length > 0 ? `saw ${cells(reads)}` : '', writes.length > 0 ? `wrote ${cells(writes)}` : ''];
    const ends = Number.isFinite(end) ? String(end) : 'never';
    return { at: call, line: `  [${call}-${ends}] client ${client} ${kind} #${id} ${did.join('')}: ${outcome}` };
  });
  const markers = history.markers.map(({ kind, index }) => ({ at: index, line: `  [${index}] ${kind}` }));
  const all = [...lines, ...markers].sort((a, b) => a.at - b.at).map(({ line }) => line);
  return [
    `durability ${round.durability}, ${round.clients} clients, seed ${round.seed}, ${JSON.stringify(round.options)}`,
    ...all,
  ];
}
