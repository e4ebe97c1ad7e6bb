/** The command: a table of what it can do, in three groups, and the exit codes of what goes wrong before that. */
import { Command, CommanderError } from 'commander';
import { packageVersion } from '../report/sources-hash.ts';
import { EXIT } from '../report/verdict.ts';
import { addCheckHistory } from './check-history.ts';
import { addChecks } from './checks.ts';
import { type AddCommand, exitCodeOf, GROUPS } from './command.ts';
import { DATA_COMMANDS } from './data-commands.ts';
import { watchOutput } from './data-output.ts';
import { errorText, usageText } from './exit-codes.ts';
import { addCrash } from './crash.ts';
import { addDetect } from './detect.ts';
import { addGate } from './gate.ts';
import { addModels } from './models.ts';
import { addReplay } from './replay.ts';
import { addClearCache, addHealth } from './health.ts';
import { addServe } from './serve.ts';
import { addSoak } from './soak.ts';
import { addTest } from './test-engine.ts';

const COMMANDS: Readonly<Record<keyof typeof GROUPS, readonly AddCommand[]>> = {
  judge: [addGate, addReplay, addCheckHistory, addChecks, addTest, addSoak, addCrash, addDetect, addModels],
  data: DATA_COMMANDS,
  operate: [addServe, addHealth, addClearCache],
};

const program = new Command('lightning-db')
  .description('An embedded key-value database, and a harness that judges any storage engine.')
  .version(packageVersion())
  // What goes wrong is told below, in one line with its code.
  .configureOutput({ outputError: () => undefined })
  .exitOverride();
for (const group of ['judge', 'data', 'operate'] as const) {
  program.commandsGroup(GROUPS[group]);
  for (const add of COMMANDS[group]) add(program);
}
for (const command of program.commands) command.exitOverride();

watchOutput();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.stderr.write(usageText(error) ?? '');
    process.exitCode = error.exitCode === 0 ? EXIT.pass : EXIT.usage;
  } else {
    process.stderr.write(errorText(error));
    process.exitCode = exitCodeOf(error);
  }
}
