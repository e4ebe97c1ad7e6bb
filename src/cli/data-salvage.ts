/** `lightning-db salvage`. */
import type { Command } from 'commander';
import { LightningError } from '../base/errors.ts';
import { salvage } from '../database/index.ts';
import { EXIT } from '../report/verdict.ts';
import { type DataFlags, DB_ABOUT, DB_FLAG, JSON_FLAG, onePath, runData } from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';

async function salvageCommand(operand: string | undefined, flags: DataFlags & { readonly to?: string }): Promise<void> {
  await runData(async (output) => {
    const source = onePath(operand, flags);
    if (flags.to === undefined || flags.to === '')
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', '--to is needed');
    const report = await salvage(source, flags.to);
    const whole = report.losses.length === 0 && report.doubts.length === 0;
    if (flags.json === true) await output.line(JSON.stringify(report));
    else {
      for (const loss of report.losses) await output.line(`lost   ${loss}`);
      for (const doubt of report.doubts) await output.line(`doubt  ${doubt}`);
      await output.line(`${report.rows} rows read, ${whole ? 'nothing lost' : 'NOT everything'}`);
    }
    return whole ? EXIT.pass : EXIT.fail;
  });
}

/** Adds `salvage`. */
export function addSalvage(program: Command): void {
  program
    .command('salvage')
    .description('copy what is readable of a damaged store into a new one; changes nothing in the first')
    .argument('[dir]', DB_ABOUT)
    .option(DB_FLAG, DB_ABOUT)
    .option('--to <dir>', 'an empty or missing folder')
    .option(JSON_FLAG, 'rows, losses and doubts as one object')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(salvageCommand);
}
