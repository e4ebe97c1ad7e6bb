/** `lightning-db checks`: what a profile would run, and what of it is there. */
import type { Command } from 'commander';
import { readCatalogue, staleness } from '../gate/catalogue.ts';
import { PROFILE_NAMES, readProfile } from '../gate/profile.ts';
import { SABOTAGES } from '../gate/sabotage.ts';
import { stageProgram } from '../gate/stage-run.ts';
import { fileExists } from '../report/files.ts';

function runCommand(flags: { readonly profile: string }): void {
  const profile = readProfile(flags.profile);
  const catalogue = readCatalogue();
  const lines = [`${profile.profile}: ${profile.purpose}`];
  for (const stage of profile.stages) {
    const bugs = catalogue.filter((entry) => entry.kind === 'bug' && entry.stage === stage.name).length;
    const there = fileExists(stageProgram(stage)) ? (stage.run ? `${stage.budgetSeconds} s` : 'not run') : 'missing';
    lines.push(
      `  ${stage.name.padEnd(12)} ${there.padEnd(8)} ${String(bugs).padStart(3)} planted bugs  ${stage.question}`,
    );
  }
  const stale = catalogue.filter((entry) => staleness([entry]) !== undefined).map(({ name }) => name);
  lines.push(
    `${catalogue.length} catalogue files, ${stale.length} stale${stale.length > 0 ? `: ${stale.join(', ')}` : ''}`,
  );
  lines.push(`${SABOTAGES.length} sabotages of the gate itself`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Adds the command. */
export function addChecks(program: Command): void {
  program
    .command('checks')
    .description('list the stages, planted bugs and sabotages of a profile')
    .option('--profile <name>', PROFILE_NAMES.join(', '), 'smoke')
    .action(runCommand);
}
