/** `lightning-db create`: a new store, or a refusal. */
import type { Command } from 'commander';
import { parsePositive } from './command.ts';
import { type DataFlags, DB_ABOUT, DB_FLAG, JSON_FLAG, onePath, runData, withDatabase } from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';

interface CreateFlags extends DataFlags {
  readonly blockSize?: number;
}

async function create(operand: string | undefined, flags: CreateFlags): Promise<void> {
  await runData(async (output) => {
    const path = onePath(operand, flags);
    const options = {
      errorIfExists: true,
      ...(flags.blockSize === undefined ? {} : { blockSizeBytes: flags.blockSize }),
    };
    const { blockSizeBytes } = await withDatabase(path, options, async (database) => database.statistics());
    await output.line(
      flags.json === true
        ? JSON.stringify({ path, blockSizeBytes })
        : `a new store in ${path}, blocks of ${blockSizeBytes} bytes`,
    );
  });
}

/** Adds `create`. */
export function addCreate(program: Command): void {
  program
    .command('create')
    .description('make a new store; one that is there is refused')
    .argument('[dir]', DB_ABOUT)
    .option(DB_FLAG, DB_ABOUT)
    .option('--block-size <bytes>', 'of the tree: a power of two, 512 to 65536', parsePositive)
    .option(JSON_FLAG, 'its path and the size of its blocks as one object')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(create);
}
