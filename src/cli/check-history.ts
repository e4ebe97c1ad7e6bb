/** `lightning-db check`: a recorded history in, a verdict out, of whatever store it came from. */
import { type Command, Option } from 'commander';
import {
  checkDurability,
  checkLinearizability,
  checkRegisters,
  type History,
  type HistoryVerdict,
  parseHistory,
  parseJepsen,
} from '../checkers/index.ts';
import { HISTORY_CHARACTERS_MAX } from '../history/limits.ts';
import { LightningError } from '../base/errors.ts';
import { fileExists, fileSizeBytes, readText, writeWhole } from '../report/files.ts';
import { operationText, renderTimeline } from '../report/timeline.ts';
import { EXIT } from '../report/verdict.ts';
import { parseNatural } from './command.ts';

const MODELS = ['auto', 'register', 'cas', 'map', 'durable'] as const;
const STEPS_DEFAULT = 50_000_000;
const STATES_DEFAULT = 5_000_000;

interface Flags {
  readonly model: (typeof MODELS)[number];
  readonly format: 'auto' | 'ndjson' | 'jepsen';
  readonly html?: string;
  readonly json?: boolean;
  readonly cut?: boolean;
  readonly steps: number;
}

function load(file: string, { format, cut }: Flags): History {
  const refuse = (problem: string): never => {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history ${file}: ${problem}`, { file, problem });
  };
  if (!fileExists(file)) refuse('there is no such file');
  if (fileSizeBytes(file) > HISTORY_CHARACTERS_MAX) refuse(`more than ${HISTORY_CHARACTERS_MAX} bytes`);
  const text = readText(file);
  const isJepsen = format === 'jepsen' || (format === 'auto' && !text.trimStart().startsWith('{"'));
  const history = isJepsen ? parseJepsen(text) : parseHistory(text, cut === true ? 'allow' : 'refuse');
  // An empty file shows nothing, and nothing is no pass.
  if (history.operations.length === 0) refuse('it holds no operation');
  return history;
}

function judge(history: History, { model, steps }: Flags): HistoryVerdict {
  const budget = { stepsMax: steps, statesMax: STATES_DEFAULT };
  const crashed = history.markers.some(({ kind }) => kind === 'crash');
  if (model === 'register') return checkRegisters(history);
  if (model === 'durable' || (model === 'auto' && crashed)) return checkDurability(history, { budget });
  const other = history.operations.find(
    ({ kind }) => model === 'cas' && kind !== 'read' && kind !== 'write' && kind !== 'cas',
  );
  if (other !== undefined)
    return { verdict: 'unknown', reason: `an operation of kind ${other.kind} is outside the model cas` };
  const told = history.operations.some(
    ({ accesses }) => accesses?.some(({ kind }) => kind === 'append' || kind === 'list') === true,
  );
  if (told) return { verdict: 'unknown', reason: 'lists of transactions are outside the models of single values' };
  return checkLinearizability(history, budget);
}

function tell(history: History, verdict: HistoryVerdict): string {
  if (verdict.verdict === 'valid') return `valid: ${history.operations.length} operations\n`;
  if (verdict.verdict === 'unknown') return `unknown: ${verdict.reason}\n`;
  const byId = new Map(history.operations.map((operation) => [operation.id, operation]));
  const lines = [`invalid: ${verdict.class}: ${verdict.message}`];
  if (verdict.prefix !== undefined) lines.push(`an order explains ${verdict.prefix.length} operations and no more`);
  for (const id of verdict.witness.slice(0, 30)) {
    const operation = byId.get(id);
    if (operation === undefined) continue;
    lines.push(
      `  [${operation.call}-${operation.return}] client ${operation.client} #${id} ${operationText(operation)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function runCommand(file: string, flags: Flags): void {
  const history = load(file, flags);
  const verdict = judge(history, flags);
  if (flags.html !== undefined) writeWhole(flags.html, renderTimeline(history, verdict, { title: file }));
  process.stdout.write(flags.json === true ? `${JSON.stringify(verdict)}\n` : tell(history, verdict));
  process.exitCode = verdict.verdict === 'valid' ? EXIT.pass : verdict.verdict === 'invalid' ? EXIT.fail : EXIT.unknown;
}

/** Adds the command. */
export function addCheckHistory(program: Command): void {
  program
    .command('check')
    .description('judge a recorded history: linearizable, and durable where it crashed')
    .argument('<file>', 'newline-delimited JSON, Jepsen EDN, or the log lines of Jepsen')
    .addOption(new Option('--model <name>', 'what the store is').choices(MODELS).default('auto'))
    .addOption(new Option('--format <name>', 'what the file is').choices(['auto', 'ndjson', 'jepsen']).default('auto'))
    .option('--html <file>', 'draw the timeline around the first error')
    .option('--json', 'the verdict as one line of JSON')
    .option('--cut', 'the writer was killed: drop a last line that is cut')
    .option(
      '--steps <count>',
      'operations tried for each search before the verdict is unknown',
      parseNatural,
      STEPS_DEFAULT,
    )
    .addHelpText('after', '\nExit codes: 0 valid, 1 invalid, 2 usage or a malformed history, 3 a bug, 4 unknown')
    .action(runCommand);
}
