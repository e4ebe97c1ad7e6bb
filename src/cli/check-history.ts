/** `lightning-db check`: a recorded history in, a verdict out, of whatever store it came from. */
import { type Command, Option } from 'commander';
import {
  type Anomaly,
  checkDurability,
  type CheckedLevel,
  checkIsolation,
  checkLinearizability,
  checkRegisters,
  decodeColumns,
  drawCycle,
  encodeColumns,
  type History,
  type HistoryColumns,
  type HistoryVerdict,
  isBinaryHistory,
  ISOLATION_LEVELS,
  operationAt,
  parseHistory,
  parseJepsen,
} from '../checkers/index.ts';
import { columnsOf } from '../history/columns-of.ts';
import { HISTORY_CHARACTERS_MAX } from '../history/limits.ts';
import { LightningError } from '../base/errors.ts';
import { fileExists, fileSizeBytes, readBytes, writeWhole } from '../report/files.ts';
import { operationText, renderTimeline } from '../report/timeline.ts';
import { EXIT } from '../report/verdict.ts';
import { parseNatural } from './command.ts';

const DATATYPES = ['auto', 'register', 'cas', 'map', 'durable'] as const;
const STEPS_DEFAULT = 50_000_000;
const STATES_DEFAULT = 5_000_000;

interface Flags {
  readonly datatype: (typeof DATATYPES)[number];
  readonly level?: CheckedLevel;
  readonly format: 'auto' | 'ndjson' | 'jepsen';
  readonly html?: string;
  readonly save?: string;
  readonly json?: boolean;
  readonly cut?: boolean;
  readonly steps: number;
}

/** A history, from text as objects and from the binary form as columns. */
function load(file: string, { format, cut }: Flags): History | HistoryColumns {
  const refuse = (problem: string): never => {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history ${file}: ${problem}`, { file, problem });
  };
  if (!fileExists(file)) refuse('there is no such file');
  const bytes = readBytes(file);
  if (isBinaryHistory(bytes)) {
    const columns = decodeColumns(bytes);
    return columns.count === 0 ? refuse('it holds no operation') : columns;
  }
  if (fileSizeBytes(file) > HISTORY_CHARACTERS_MAX) refuse(`more than ${HISTORY_CHARACTERS_MAX} bytes`);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  const isJepsen = format === 'jepsen' || (format === 'auto' && !text.trimStart().startsWith('{"'));
  const history = isJepsen ? parseJepsen(text) : parseHistory(text, cut === true ? 'allow' : 'refuse');
  // An empty file shows nothing, and nothing is no pass.
  return history.operations.length === 0 ? refuse('it holds no operation') : history;
}

/** What a history came to: the verdict, the anomaly behind it when a level was asked for, and the levels that remain. */
interface Judgement {
  readonly verdict: HistoryVerdict;
  readonly anomaly?: Anomaly | undefined;
  readonly strongest?: readonly CheckedLevel[];
}

function judgeLevel(history: History | HistoryColumns, level: CheckedLevel, steps: number): Judgement {
  const { levels, anomalies, reasons, strongest, transactions } = checkIsolation(history, { steps });
  if (levels[level] === 'not-refuted') return { verdict: { verdict: 'valid', checked: transactions }, strongest };
  if (levels[level] === 'unknown') return { verdict: { verdict: 'unknown', reason: reasons.join('; ') }, strongest };
  const [anomaly] = anomalies.filter(({ refutes }) => refutes === level).concat(anomalies);
  const { name, message, transactions: witness } = anomaly;
  return { verdict: { verdict: 'invalid', class: name, message, witness }, anomaly, strongest };
}

function judge(history: History | HistoryColumns, { datatype, level, steps }: Flags): Judgement {
  if (level !== undefined) return judgeLevel(history, level, steps);
  const budget = { stepsMax: steps, statesMax: STATES_DEFAULT };
  const crashed = history.markers.some(({ kind }) => kind === 'crash');
  if (datatype === 'register') return { verdict: checkRegisters(history) };
  if (datatype === 'durable' || (datatype === 'auto' && crashed))
    return { verdict: checkDurability(history, { budget }) };
  if (datatype === 'cas') {
    const { operations } = historyOf(history);
    const other = operations.find(({ kind }) => kind !== 'read' && kind !== 'write' && kind !== 'cas');
    const reason = `an operation of kind ${String(other?.kind)} is outside the datatype cas`;
    if (other !== undefined) return { verdict: { verdict: 'unknown', reason } };
  }
  return { verdict: checkLinearizability(history, budget) };
}

function historyOf(history: History | HistoryColumns): History {
  if ('operations' in history) return history;
  const operations = Array.from({ length: history.count }, (_, place) => operationAt(history, place));
  return { operations, markers: history.markers };
}

function tell(history: History | HistoryColumns, { verdict, strongest }: Judgement): string {
  const left = strongest === undefined ? [] : [`not refuted: ${strongest.join(', ') || 'no level'}`];
  const count = 'operations' in history ? history.operations.length : history.count;
  if (verdict.verdict === 'valid') return `${[`valid: ${count} operations`, ...left].join('\n')}\n`;
  if (verdict.verdict === 'unknown') return `${[`unknown: ${verdict.reason}`, ...left].join('\n')}\n`;
  const byId = new Map(historyOf(history).operations.map((operation) => [operation.id, operation]));
  const lines = [`invalid: ${verdict.class}: ${verdict.message}`, ...left];
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
  if (flags.save !== undefined) writeWhole(flags.save, encodeColumns(columnsOf(history)));
  const judgement = judge(history, flags);
  const { verdict, anomaly, strongest } = judgement;
  if (flags.html !== undefined) {
    const figure = anomaly === undefined ? {} : { figure: drawCycle(anomaly, 'left out') };
    writeWhole(flags.html, renderTimeline(historyOf(history), verdict, { title: file, ...figure }));
  }
  const told = strongest === undefined ? verdict : { ...verdict, strongest, cycle: anomaly?.cycle };
  process.stdout.write(flags.json === true ? `${JSON.stringify(told)}\n` : tell(history, judgement));
  process.exitCode = verdict.verdict === 'valid' ? EXIT.pass : verdict.verdict === 'invalid' ? EXIT.fail : EXIT.unknown;
}

/** Adds the command. */
export function addCheckHistory(program: Command): void {
  program
    .command('check')
    .description('judge a recorded history: linearizable, and durable where it crashed; or at a level of isolation')
    .argument('<file>', 'newline-delimited JSON, its binary form, Jepsen EDN, or the log lines of Jepsen')
    .addOption(new Option('--datatype <name>', 'what the store is').choices(DATATYPES).default('auto'))
    .addOption(new Option('--format <name>', 'what the file is').choices(['auto', 'ndjson', 'jepsen']).default('auto'))
    .addOption(new Option('--level <name>', 'judge transactions at this level instead').choices(ISOLATION_LEVELS))
    .option('--save <file>', 'write the history in the binary form, too, which is read many times faster')
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
