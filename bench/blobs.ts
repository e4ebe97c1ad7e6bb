/**
 * `npm run bench:blobs`: one value of 100 MB put, read and backed up, beside `cp` with an fsync of the same bytes, in
 * turns; how long the event loop was held up, and how many copies of the value were in memory at once.
 *
 *   --quick      a tenth of the size, three rounds
 *   --json FILE  writes the result as JSON too
 *   --dir DIR    where everything lies; default: reports/runs
 *
 * Exit codes: 0 measured, 2 usage, 3 the bench broke. A missed target is a figure, not a failure.
 */
import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { cpuSeconds, monotonicMilliseconds, systemClock, threadCpuSeconds } from '../src/base/clock.ts';
import { LightningError } from '../src/base/errors.ts';
import { median } from '../src/base/statistics.ts';
import { Database } from '../src/database/index.ts';
import { checkWritable, machineOf, saveJson, Workspace } from './ground.ts';

const MEGABYTE = 1_000_000;
/** At least so much of the speed of `cp` with fsync is wanted. */
const SPEED_WANTED = 0.5;
const HELD_UP_MILLISECONDS_MAX = 50;
const COPIES_MAX = 3;
const KEY = new Uint8Array([1]);
const EXIT_BROKEN = 3;

/** What one call took. */
interface Measured {
  readonly milliseconds: number;
  readonly cpuMilliseconds: number;
  /** The longest time that a timer of one millisecond came late. */
  readonly heldUpMilliseconds: number;
  /** CPU time of the longest turn of the event loop: what remains of it on a machine that does nothing else. */
  readonly turnCpuMilliseconds: number;
  /** Copies of the value in memory at once: the caller's of a put, and what the call makes. */
  readonly copies: number;
}

/** Of all rounds. */
interface Figures {
  readonly medianMilliseconds: number;
  readonly medianCpuMilliseconds: number;
  /** Of the fastest round: what it can do when nobody else wants the machine. */
  readonly leastMilliseconds: number;
  /** Median over the rounds of the time of `cp` with fsync in the round, divided by the own. */
  readonly speedOfCopy: number;
  readonly heldUpMilliseconds: { readonly least: number; readonly median: number; readonly greatest: number };
  /** The longest turn of any round. */
  readonly turnCpuMilliseconds: number;
  readonly copies: number;
}

/** @param held copies that the caller has before the call */
async function measured(valueBytes: number, held: number, work: () => Promise<unknown>): Promise<Measured> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await pause(20);
  delay.reset();
  const beforeBytes = process.memoryUsage().arrayBuffers;
  let mostBytes = beforeBytes;
  const look = (): void => {
    mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers);
  };
  const watch = setInterval(look, 5);
  let turnCpu = threadCpuSeconds();
  let longestTurn = 0;
  const turn = (): void => {
    const now = threadCpuSeconds();
    longestTurn = Math.max(longestTurn, now - turnCpu);
    turnCpu = now;
  };
  const turns = setInterval(turn, 1);
  const cpu = cpuSeconds();
  const start = monotonicMilliseconds();
  const result = await work();
  const milliseconds = monotonicMilliseconds() - start;
  const cpuMilliseconds = (cpuSeconds() - cpu) * 1000;
  clearInterval(watch);
  clearInterval(turns);
  look();
  await pause(5);
  delay.disable();
  // So that what was read is not collected before it was counted.
  if (result instanceof Uint8Array && result.length !== valueBytes)
    throw new LightningError('LIGHTNING_HARNESS', `read ${result.length} bytes of ${valueBytes}`);
  const copies = held + (mostBytes - beforeBytes) / valueBytes;
  return {
    milliseconds,
    cpuMilliseconds,
    heldUpMilliseconds: delay.max / 1e6,
    turnCpuMilliseconds: longestTurn * 1000,
    copies,
  };
}

async function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function figuresOf(rounds: readonly Measured[], copies: readonly Measured[]): Figures {
  const heldUp = rounds.map((one) => one.heldUpMilliseconds);
  return {
    medianMilliseconds: median(rounds.map((one) => one.milliseconds)),
    medianCpuMilliseconds: median(rounds.map((one) => one.cpuMilliseconds)),
    leastMilliseconds: Math.min(...rounds.map((one) => one.milliseconds)),
    speedOfCopy: median(rounds.map((one, i) => copies[i].milliseconds / one.milliseconds)),
    heldUpMilliseconds: { least: Math.min(...heldUp), median: median(heldUp), greatest: Math.max(...heldUp) },
    turnCpuMilliseconds: Math.max(...rounds.map((one) => one.turnCpuMilliseconds)),
    copies: Math.max(...rounds.map((one) => one.copies)),
  };
}

type Call = 'cp' | 'put' | 'get' | 'backup';

async function runRounds(folder: string, valueBytes: number, rounds: number): Promise<Record<Call, Measured[]>> {
  const value = new Uint8Array(valueBytes);
  for (let at = 0; at < valueBytes; at += 65_536) randomFillSync(value, at, Math.min(65_536, valueBytes - at));
  writeFileSync(join(folder, 'source'), value);
  const all: Record<Call, Measured[]> = { cp: [], put: [], get: [], backup: [] };
  const database = await Database.open(join(folder, 'store'));
  try {
    // The first round warms up, and is not counted.
    for (let round = 0; round <= rounds; round++) {
      const cp = async (): Promise<void> => {
        execFileSync('cp', [join(folder, 'source'), join(folder, 'copy')]);
        execFileSync('sync', [join(folder, 'copy')]);
        return Promise.resolve();
      };
      const calls: [Call, () => Promise<unknown>][] = [
        ['cp', cp],
        ['put', async () => database.put(KEY, value)],
        ['get', async () => database.get(KEY)],
        ['backup', async () => database.backup(join(folder, `backup-${round}`))],
      ];
      for (const [name, call] of calls) {
        // The value of the round before, still on disk, would be backed up too.
        if (name === 'backup') await database.compact();
        const one = await measured(valueBytes, name === 'put' ? 1 : 0, call);
        if (round > 0) all[name].push(one);
      }
      rmSync(join(folder, 'copy'));
      rmSync(join(folder, `backup-${round}`), { recursive: true });
      process.stderr.write(`round ${round} of ${rounds}\n`);
    }
  } finally {
    await database.close();
  }
  return all;
}

function lineOf(name: string, figures: Figures): string {
  const { heldUpMilliseconds: held } = figures;
  const cells = [
    name.padEnd(7),
    `${figures.medianMilliseconds.toFixed(0)} ms`.padStart(9),
    `${figures.medianCpuMilliseconds.toFixed(0)} ms CPU`.padStart(11),
    `${figures.speedOfCopy.toFixed(2)} × cp`.padStart(10),
    `held up ${held.least.toFixed(1)} / ${held.median.toFixed(1)} / ${held.greatest.toFixed(1)} ms`.padStart(30),
    `longest turn ${figures.turnCpuMilliseconds.toFixed(1)} ms CPU`.padStart(26),
    `${figures.copies.toFixed(1)} copies`.padStart(11),
  ];
  return cells.join('  ');
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean' }, json: { type: 'string' }, dir: { type: 'string' } },
  });
  const isQuick = values.quick ?? false;
  const valueBytes = (isQuick ? 10 : 100) * MEGABYTE;
  const rounds = isQuick ? 3 : 9;
  if (values.json !== undefined) checkWritable(values.json);
  const space = new Workspace(values.dir ?? 'reports/runs');
  try {
    const machine = machineOf(space.root);
    const all = await runRounds(space.folder(), valueBytes, rounds);
    const figures = {
      cp: figuresOf(all.cp, all.cp),
      put: figuresOf(all.put, all.cp),
      get: figuresOf(all.get, all.cp),
      backup: figuresOf(all.backup, all.cp),
    };
    const lines = Object.entries(figures).map(([name, one]) => lineOf(name, one));
    process.stdout.write(
      `One value of ${valueBytes / MEGABYTE} MB, ${rounds} rounds in turns with cp and fsync. Wanted: ${SPEED_WANTED} × cp, ` +
        `held up for ${HELD_UP_MILLISECONDS_MAX} ms at most (least, median and greatest of the rounds), ` +
        `${COPIES_MAX} copies in memory. ${machine.processor}, ${machine.cores} cores, load ${machine.loadBefore.toFixed(1)}.\n${lines.join('\n')}\n`,
    );
    const date = new Date(systemClock.now()).toISOString().slice(0, 10);
    if (values.json !== undefined) saveJson(values.json, { format: 1, date, machine, valueBytes, rounds, figures });
  } finally {
    space.remove();
  }
}

try {
  await main();
} catch (error) {
  const isUsage = error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(
    `${error instanceof Error ? (isUsage ? error.message : (error.stack ?? error.message)) : String(error)}\n`,
  );
  process.exitCode = isUsage ? 2 : EXIT_BROKEN;
}
