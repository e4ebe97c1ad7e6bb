/**
 * An event that a model refuses, with both sides beside each other: what the engine did and was, and what the model has
 * for it in the state before that event.
 */
import type { CheckOutcome } from './check-outcome.ts';
import { type TraceEvent, toTla, type TraceValue } from './trace-events.ts';
import { traceModule } from './trace-module.ts';
import type { EngineState } from './trace-run.ts';
import { STEP_RULES } from './trace-steps.ts';
import { checkModules, type Trace } from './trace-validate.ts';

interface Row {
  readonly name: string;
  readonly engine: string;
  /** An expression of the model. */
  readonly expression: string;
}

const CELL_CHARACTERS_MAX = 48;

/** What an engine shows of itself, and the model's words for it. */
function stateRows(trace: Trace, state: EngineState): Row[] {
  const row = (name: string, engine: string | number, expression: string): Row => ({
    name,
    engine: String(engine),
    expression,
  });
  const known = trace.setting.model === 'MVCC' ? MVCC_STATE : WAL_STATE;
  return Object.entries(known).map(([name, expression]) => row(name, state[name] ?? '–', expression));
}

const MVCC_STATE: Readonly<Record<string, string>> = {
  published: 'published',
  durable: 'durable',
  'frozen memtables': 'Len(frozen)',
  runs: 'Len(runs)',
  snapshots: 'Cardinality(live)',
  clock: 'clock',
};

const WAL_STATE: Readonly<Record<string, string>> = {
  'segments in the manifest': 'manifest.seen.segments',
  'flushed in the manifest': 'manifest.seen.flushed',
  'segments and their records': '{ <<f, Len(files[f].data)>> : f \\in {g \\in Segments : Seen(g)} }',
  durable: 'durable',
  published: 'floor',
};

function logged(event: TraceEvent, name: string): string {
  const value: TraceValue = event[name];
  return value === undefined ? '–' : toTla(value);
}

function eventRows(trace: Trace, event: TraceEvent): Row[] {
  const rule = STEP_RULES[trace.setting.model].find(({ action }) => action === event.action);
  if (rule === undefined) return [];
  const says = Object.entries(rule.says ?? {}).map(([name, expression]) => ({
    name: `${name} (model: ${expression})`,
    engine: logged(event, name),
    expression,
  }));
  const conditions = [...(rule.when ?? []), ...(rule.holds ?? [])].map((condition) => ({
    name: condition,
    engine: 'TRUE',
    expression: condition,
  }));
  const asks = Array.isArray(event['asks'])
    ? (event['asks'] as readonly { readonly [name: string]: TraceValue }[])
    : [];
  const answers = Array.isArray(event['answers']) ? (event['answers'] as readonly TraceValue[]) : [];
  const view = event.action === 'Publish' ? 'durable' : 'published';
  const reads = asks.map((ask, index): Row => {
    const at = ask['present'] === true ? [view, 'Now'] : [toTla(ask['s']), toTla(ask['now'])];
    return {
      name: `read ${String(ask['k'])} at (${at.join(', ')})`,
      engine: toTla(answers[index] ?? '–'),
      expression: `TraceRead(${toTla(ask['k'])}, ${at.join(', ')})`,
    };
  });
  return [...conditions, ...says, ...reads];
}

function clipped(text: string): string {
  return text.length <= CELL_CHARACTERS_MAX ? text : `${text.slice(0, CELL_CHARACTERS_MAX - 1)}…`;
}

/** Three columns; a row whose two sides differ is marked. */
function table(rows: readonly Row[], values: readonly string[]): string[] {
  const lines = rows.map((row, index) => [row.name, row.engine, values[index]].map(clipped));
  const widths = [0, 1].map((column) => Math.max(19, ...lines.map((cells) => cells[column].length)));
  const compact = (text: string): string => text.replaceAll(/\s/g, '').toUpperCase();
  return [['', 'engine at the event', 'model before it'], ...lines].map((cells, index) => {
    const differs =
      index > 0 && rows[index - 1].engine !== '–' && compact(rows[index - 1].engine) !== compact(values[index - 1]);
    const padded = cells.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell));
    return `  ${padded.join(' | ')}${differs ? '   ← differs' : ''}`;
  });
}

/** The story of a refusal: the event, both sides, and the model's variables before it. `at` counts from 1. */
export async function explainRefusal(trace: Trace, at: number, engine: EngineState): Promise<string[]> {
  const event = trace.events[at - 1];
  const upTo = trace.events.slice(0, at);
  const rows = [...eventRows(trace, event), ...stateRows(trace, engine)];
  const ask = (expressions: readonly string[]) =>
    traceModule(trace.setting, upTo, { show: { before: at, expressions } });
  const lastOf = (outcome: CheckOutcome): ReadonlyMap<string, string> | undefined =>
    outcome.verdict === 'violated' ? outcome.trace.at(-1)?.values : undefined;
  const [whole] = await checkModules([ask(rows.map(({ expression }) => expression))]);
  let state = lastOf(whole);
  let values = rows.map((_, index) => state?.get(`shown${index}`));
  if (state === undefined) {
    // An expression has no value in this state: each is asked for alone.
    const [bare, ...each] = await checkModules([ask([]), ...rows.map(({ expression }) => ask([expression]))]);
    state = lastOf(bare);
    values = each.map((outcome) => lastOf(outcome)?.get('shown0'));
  }
  const shown = values.map((text) => text?.replace(/^<<([\s\S]*)>>$/, '$1') ?? 'no value');
  const variables = [...(state ?? [])].filter(([name]) => !/^shown\d+$/.test(name));
  const own = new Set(['at', 'done', 'tampered', 'swap']);
  return [
    `event ${at}, ${event.action}, is no step of ${trace.setting.model}: ${toTla(event)}`,
    ...table(rows, shown),
    `the state of ${trace.setting.model} before event ${at}:`,
    ...variables.filter(([name]) => !own.has(name)).map(([name, value]) => `  ${name} = ${value}`),
  ];
}
