/** `lightning-db replay`: runs one saved witness again. */
import type { Command } from 'commander';
import { replayWitness } from '../gate/replay.ts';
import { interruptSignal } from './command.ts';

async function runCommand(file: string, flags: { readonly withBug?: string }): Promise<void> {
  const result = await replayWitness(file, flags.withBug, interruptSignal());
  process.stdout.write(`${result.lines.join('\n')}\n`);
  process.exitCode = result.exitCode;
}

/** Adds the command. */
export function addReplay(program: Command): void {
  program
    .command('replay')
    .description('run a saved witness again')
    .argument('<file>', 'the witness that the report names')
    .option('--with-bug <name>', 'with this known fault planted')
    .addHelpText(
      'after',
      '\nExit codes: 0 not reproduced, 1 confirmed or a different failure, 3 a damaged capsule, 4 stale: it no longer fits the sources',
    )
    .action(runCommand);
}
