/**
 * `lightning-db bench`: how many rows a second this machine does, on a new store. A first look; for figures that compare
 * engines, `npm run bench` runs them interleaved.
 */
import type { Command } from 'commander';
import { monotonicMilliseconds } from '../base/clock.ts';
import { Prng } from '../base/prng.ts';
import { parsePositive } from './command.ts';
import {
  type DataFlags,
  DB_ABOUT,
  DB_FLAG,
  durabilityOption,
  JSON_FLAG,
  onePath,
  runData,
  withDatabase,
} from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';

interface BenchFlags extends DataFlags {
  readonly rows: number;
}

const VALUE_BYTES = 100;
/** Puts under way at once: they share their fsyncs. */
const PUTS_TOGETHER = 100;

function keyOf(row: number): Uint8Array {
  return Buffer.from(String(row).padStart(16, '0'));
}

async function bench(operand: string | undefined, flags: BenchFlags): Promise<void> {
  await runData(async (output) => {
    const path = onePath(operand, flags);
    const { rows, durability = 'commit' } = flags;
    const prng = new Prng(1);
    await withDatabase(path, { durability, errorIfExists: true }, async (database) => {
      const measure = async (work: string, go: () => Promise<number>): Promise<void> => {
        const began = monotonicMilliseconds();
        const count = await go();
        const seconds = (monotonicMilliseconds() - began) / 1000;
        const rowsPerSecond = Math.round(count / seconds);
        await output.line(
          flags.json === true
            ? JSON.stringify({ work, rows: count, seconds, rowsPerSecond })
            : `${work.padEnd(4)}  ${rowsPerSecond} rows a second`,
        );
      };
      await measure('put', async () => {
        for (let first = 0; first < rows; first += PUTS_TOGETHER) {
          const count = Math.min(PUTS_TOGETHER, rows - first);
          await Promise.all(
            Array.from({ length: count }, async (_, i) => database.put(keyOf(first + i), prng.bytes(VALUE_BYTES))),
          );
        }
        return rows;
      });
      await measure('get', async () => {
        for (let i = 0; i < rows; i++) await database.get(keyOf(prng.below(rows)));
        return rows;
      });
      await measure('scan', async () => {
        let count = 0;
        for (const _ of database.scanSync()) count++;
        return count;
      });
    });
  });
}

/** Adds `bench`. */
export function addBench(program: Command): void {
  program
    .command('bench')
    .description('puts, gets and a scan on a new store, in rows a second; the store stays')
    .argument('[dir]', DB_ABOUT)
    .option(DB_FLAG, DB_ABOUT)
    .option('--rows <count>', 'rows of 16 and 100 bytes', parsePositive, 10_000)
    .addOption(durabilityOption())
    .option(JSON_FLAG, 'a line of JSON each')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(bench);
}
