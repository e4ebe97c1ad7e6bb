/** `lightning-db models`: the TLA+ models in both checkers, their verdicts side by side. */
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { describeTrace } from '../../models/check-outcome.ts';
import { MODELS, type Tier, TIERS } from '../../models/configurations.ts';
import { installTlc } from '../../models/install-tlc.ts';
import { type Checker, type ModelRow, runModels } from '../../models/model-runs.ts';
import { modelTable, verdictOf } from '../../models/model-table.ts';
import { mutateModels, mutationLines } from '../../models/mutate-models.ts';
import { replayLines, replayModels } from '../../models/replay-table.ts';
import { findTlc } from '../../models/tlc-runner.ts';
import { monotonicMilliseconds } from '../base/clock.ts';
import { removeTree, writeWhole } from '../report/files.ts';
import { EXIT } from '../report/verdict.ts';
import { parsePositive } from './command.ts';

interface ModelsFlags {
  readonly profile: Tier;
  readonly checker: Checker | 'both';
  readonly only?: string;
  readonly seconds: number;
  readonly installTlc?: boolean | string;
  readonly mutate?: boolean;
  readonly replay?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

const SECONDS_DEFAULT = 3600;
/** A check that has begun is not cut short by a second. */
const TIME_LIMIT_SECONDS_MIN = 10;
const MUTANT_TIME_LIMIT_SECONDS = 180;
const PROGRESS_WIDTH = 72;
/** So many counterexamples are printed; more of them go into a file. */
const COUNTEREXAMPLES_SHOWN_MAX = 2;

async function install(from: string | undefined): Promise<void> {
  const { jar, bytes } = await installTlc(from);
  process.stdout.write(`${jar}: ${bytes} bytes, SHA-256 as expected\n`);
}

/** Faults of the models themselves, and what notices each. */
async function mutate(flags: ModelsFlags): Promise<void> {
  const models = MODELS.filter((model) => flags.only === undefined || model.startsWith(flags.only));
  const workDirectory = join(tmpdir(), `lightning-db-model-mutants-${process.pid}`);
  try {
    const results = await mutateModels({
      models,
      workDirectory,
      timeLimitSeconds: MUTANT_TIME_LIMIT_SECONDS,
      onResult: ({ model, definition, fate }, done, all) => tell(`${done} of ${all}: ${model} ${definition}: ${fate}`),
    });
    clearProgress();
    const text = `${mutationLines(results).join('\n')}\n`;
    process.stdout.write(flags.json === true ? `${JSON.stringify(results)}\n` : text);
    if (flags.out !== undefined) writeWhole(resolve(flags.out), text);
    if (results.some(({ kind, fate }) => kind === 'invariant' && fate === 'survived')) process.exitCode = EXIT.fail;
    else if (results.length === 0) process.exitCode = EXIT.unknown;
  } finally {
    removeTree(workDirectory);
  }
}

/** Counterexamples against the real engine, whole and without the guard. */
async function replay(flags: ModelsFlags): Promise<void> {
  const rows = await replayModels((name) => flags.only === undefined || name.startsWith(flags.only), tell);
  clearProgress();
  const text = `${replayLines(rows).join('\n')}\n`;
  process.stdout.write(flags.json === true ? `${JSON.stringify(rows)}\n` : text);
  if (flags.out !== undefined) writeWhole(resolve(flags.out), text);
  if (rows.some(({ broke }) => broke !== undefined)) process.exitCode = EXIT.fail;
  else if (rows.length === 0 || rows.some(({ without }) => without === undefined)) process.exitCode = EXIT.unknown;
}

function tell(text: string): void {
  process.stderr.write(
    process.stderr.isTTY ? `\r${text.slice(0, PROGRESS_WIDTH).padEnd(PROGRESS_WIDTH)}` : `${text}\n`,
  );
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${''.padEnd(PROGRESS_WIDTH)}\r`);
}

async function runCommand(flags: ModelsFlags): Promise<void> {
  if (flags.mutate === true) {
    await mutate(flags);
    return;
  }
  if (flags.replay === true) {
    await replay(flags);
    return;
  }
  if (flags.installTlc !== undefined) {
    await install(typeof flags.installTlc === 'string' ? flags.installTlc : undefined);
    return;
  }
  const rows: ModelRow[] = [];
  const workDirectory = join(tmpdir(), `lightning-db-models-${process.pid}`);
  const begun = monotonicMilliseconds();
  const left = (): number => flags.seconds - (monotonicMilliseconds() - begun) / 1000;
  try {
    await runModels({
      tier: flags.profile,
      checkers: flags.checker === 'both' ? ['tla-checker', 'tlc'] : [flags.checker],
      tlc: await findTlc(),
      workDirectory,
      wants: (name) => flags.only === undefined || name.startsWith(flags.only),
      timeLimitSeconds: () => Math.ceil(Math.max(TIME_LIMIT_SECONDS_MIN, left())),
      outOfBudget: () => left() <= 0,
      onProgress: tell,
      onRow: async (row) => {
        rows.push(row);
        return Promise.resolve();
      },
    });
  } finally {
    removeTree(workDirectory);
  }
  clearProgress();
  const verdict = verdictOf(rows, flags.profile);
  const steps = counterexamples(rows);
  const shown = steps.length <= COUNTEREXAMPLES_SHOWN_MAX ? steps.join('') : '';
  const text = `${modelTable(rows).join('\n')}\n${shown}\n${verdict.headline}\n`;
  process.stdout.write(flags.json === true ? `${JSON.stringify({ ...verdict, rows: rows.map(plain) })}\n` : text);
  if (flags.out !== undefined) writeWhole(resolve(flags.out), shown === '' ? text + steps.join('') : text);
  process.exitCode = EXIT[verdict.verdict];
}

function plain({ name, checker, violates, judged, outcome, seconds }: ModelRow): Record<string, unknown> {
  return {
    configuration: name,
    checker,
    ...(violates === undefined ? {} : { violates }),
    verdict: judged.verdict,
    detail: judged.detail,
    ...('distinctStates' in outcome ? { distinctStates: outcome.distinctStates } : {}),
    ...(outcome.verdict === 'violated' ? { steps: outcome.trace.length - 1 } : {}),
    seconds,
  };
}

/** Every counterexample, step by step; TLC's where there are two, for it names the actions. */
function counterexamples(rows: readonly ModelRow[]): string[] {
  const shown = new Map<string, ModelRow>();
  for (const row of rows) if (row.outcome.verdict === 'violated') shown.set(row.name, row);
  return [...shown.values()].flatMap(({ name, outcome }) =>
    outcome.verdict === 'violated'
      ? [`\n${name}: ${outcome.invariant} is violated\n${describeTrace(outcome.trace).join('\n')}\n`]
      : [],
  );
}

/** Adds the command. */
export function addModels(program: Command): void {
  program
    .command('models')
    .description('check the TLA+ models with tla-checker and TLC, and hold the two against each other')
    .addOption(new Option('--profile <name>', 'how large').choices(TIERS).default('smoke'))
    .addOption(new Option('--checker <name>', 'who').choices(['both', 'tla-checker', 'tlc']).default('both'))
    .option('--only <prefix>', 'configurations whose name begins so, for example MVCC or WALRecovery.AckBeforeFsync')
    .option('--seconds <n>', 'start nothing after this time', parsePositive, SECONDS_DEFAULT)
    .option('--out <file>', 'write the table and every counterexample, step by step')
    .option('--mutate', 'take every guard and every invariant away, one at a time, and list what noticed')
    .option(
      '--replay',
      'replay every counterexample against the real engine, whole and without the guard, and list what broke',
    )
    .option('--install-tlc [url]', 'fetch tla2tools.jar v1.7.4 into the cache folder; its SHA-256 is checked first')
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      '\nExit codes: 0 pass, 1 fail, 2 usage, 3 a checker broke, 4 vacuous, or unknown under release',
    )
    .action(runCommand);
}
