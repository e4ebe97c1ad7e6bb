/** The command: a table of what it can do, in three groups, and the exit codes of what goes wrong before that. */
import { Command, CommanderError } from 'commander';
import { isLightningError } from '../base/errors.ts';
import { packageVersion } from '../report/sources-hash.ts';
import { EXIT } from '../report/verdict.ts';
import { addChecks } from './checks.ts';
import { type AddCommand, exitCodeOf, GROUPS } from './command.ts';
import { addGate } from './gate.ts';
import { addReplay } from './replay.ts';

const COMMANDS: Readonly<Record<keyof typeof GROUPS, readonly AddCommand[]>> = {
  judge: [addGate, addReplay, addChecks],
  data: [],
  operate: [],
};

const program = new Command('lightning-db')
  .description('An embedded key-value database, and a harness that judges any storage engine.')
  .version(packageVersion())
  .exitOverride();
for (const group of ['judge', 'data', 'operate'] as const) {
  program.commandsGroup(GROUPS[group]);
  for (const add of COMMANDS[group]) add(program);
}
for (const command of program.commands) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.pass : EXIT.usage;
  } else {
    const text = isLightningError(error)
      ? `${error.code}: ${error.message}`
      : String(error instanceof Error ? error.stack : error);
    process.stderr.write(`${text}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
