/** `lightning-db gate`: runs a profile and gives the verdict as its exit code. */
import { join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { freshSeed } from '../base/prng.ts';
import { Display } from '../gate/display.ts';
import { PROFILE_NAMES, readProfile } from '../gate/profile.ts';
import { expectedProcesses, runGate } from '../gate/run.ts';
import { formatSeconds } from '../report/html.ts';
import { verdictWord } from '../report/page-stage.ts';
import type { GateReport, StageResult } from '../report/results.ts';
import { interruptSignal, parseNatural } from './command.ts';

interface GateFlags {
  readonly profile: string;
  readonly out?: string;
  readonly seed?: number;
  readonly only?: string;
  readonly withBug?: string;
  readonly weaken?: string;
  readonly json?: boolean;
}

function defaultDirectory(): string {
  const time = new Date(systemClock.now()).toISOString().slice(0, 19).replaceAll(':', '-');
  return join('reports/runs', time);
}

function stageLines(stage: StageResult): string[] {
  const caught = stage.controls.filter(({ outcome }) => outcome === 'caught').length;
  const controls = stage.controls.length === 0 ? '' : `, ${caught} of ${stage.controls.length} planted bugs caught`;
  const about = stage.status === 'judged' ? `${formatSeconds(stage.durationSeconds)}${controls}` : stage.reasons[0];
  const lines = [`  ${verdictWord(stage).padEnd(9)} ${stage.name.padEnd(12)} ${about}`];
  if (stage.status !== 'judged') return lines;
  for (const reason of stage.reasons) lines.push(...reason.split('\n').map((line) => `            ${line}`));
  for (const { story } of stage.evidence?.failures ?? []) lines.push(...story.map((line) => `              ${line}`));
  for (const path of stage.pictures ?? []) lines.push(`            Picture: ${path}`);
  for (const command of stage.replays) lines.push(`            Replay: ${command}`);
  return lines;
}

/** The report as lines for a person; the last one names the page. */
export function reportLines(report: GateReport, page: string): string[] {
  const lines = report.stages.flatMap(stageLines);
  if (report.selfCheck !== undefined) {
    const { sabotages, untouchedPasses, untouchedDetail } = report.selfCheck;
    const refused = sabotages.filter((sabotage) => sabotage.refused).length;
    lines.push(`  the gate, sabotaged: ${refused} of ${sabotages.length} refused`);
    if (!untouchedPasses) lines.push(`            even untouched it does not pass: ${untouchedDetail}`);
    for (const sabotage of sabotages) {
      if (!sabotage.refused) lines.push(`            not refused: ${sabotage.title} (${sabotage.detail})`);
    }
  }
  lines.push(report.headline, `seed ${report.seed}, exit code ${report.exitCode}`, page);
  return lines;
}

async function runCommand(flags: GateFlags): Promise<void> {
  const profile = readProfile(flags.profile);
  const outDirectory = resolve(flags.out ?? defaultDirectory());
  const { only, withBug, weaken } = flags;
  const display = new Display(process.stderr, expectedProcesses({ profile, only, withBug }));
  try {
    const report = await runGate({
      profile,
      outDirectory,
      seed: flags.seed ?? freshSeed(),
      only,
      withBug,
      weaken,
      signal: interruptSignal(),
      observer: display,
    });
    display.close();
    const page = join(relative(process.cwd(), outDirectory) || '.', 'index.html');
    if (flags.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
    const text = `${reportLines(report, page).join('\n')}\n`;
    (flags.json === true ? process.stderr : process.stdout).write(text);
    process.exitCode = report.exitCode;
  } finally {
    display.close();
  }
}

/** Adds the command. */
export function addGate(program: Command): void {
  program
    .command('gate')
    .description('run every stage of a profile and give a verdict')
    .option('--profile <name>', PROFILE_NAMES.join(', '), 'smoke')
    .option('--out <dir>', 'where verdict, evidence and page go (default: reports/runs/<time>)')
    .option('--seed <n>', 'repeat a run; a fresh seed otherwise', parseNatural)
    .option('--only <stage>', 'one stage')
    .option('--with-bug <name>', 'plant a known fault in its stage: the verdict must be fail')
    .option('--weaken <name>', 'sabotage the harness in every process: the verdict must not be pass')
    .option('--json', 'the verdict as JSON on standard output')
    .addHelpText(
      'after',
      '\nExit codes: 0 pass, 1 fail, 2 usage, 3 the harness broke, 4 unknown or vacuous where it is required, 130 interrupted',
    )
    .action(runCommand);
}
