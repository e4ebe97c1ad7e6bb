/**
 * One leg of a case as a drawing in two lanes: the client's operations above, what the disk was told below, one row a
 * file. An fsync is a barrier; the power cut is a red front, and right of it stands what of each file was left.
 */
import { escapeHtml, shorten } from '../src/report/html.ts';
import type { Leg, RecordedStep } from './crash-recording.ts';
import { describeStep } from './crash-story.ts';

/** The last steps before the cut; with them a page stays far below its bound. */
const STEPS_MAX = 300;
const ROWS_MAX = 40;
const COLUMN = 32;
const OPERATION_COLUMNS_MIN = 3;
const ROW = 26;
const LEFT = 128;
const RIGHT = 330;
const CLIENT_HEIGHT = 44;
const TOP = CLIENT_HEIGHT + 30;
const CHARACTER = 6.6;

/** A row of the client's lane. */
export interface ClientOperation {
  readonly label: string;
  /** What the client was told before the power went, in a word; empty for what tells nothing. */
  readonly told: string;
}

/** A column: a step, or an operation that told the disk nothing. */
interface Column {
  readonly operation: number;
  readonly step: RecordedStep | undefined;
}

function columnsOf(steps: readonly RecordedStep[], operationCount: number, isWhole: boolean): Column[] {
  const columns: Column[] = [];
  const begun = isWhole ? operationCount : Math.max(0, ...steps.map(({ operationsBegun }) => operationsBegun));
  for (let operation = 0; operation <= begun; operation++) {
    const own = steps.filter(({ operationsBegun }) => operationsBegun === operation);
    for (const step of own) columns.push({ operation, step });
    // Wide enough for its name.
    for (let n = own.length; n < OPERATION_COLUMNS_MIN; n++) columns.push({ operation, step: undefined });
  }
  return columns;
}

/** Draws one leg. `operations[0]` is the opening. */
export function drawLanes(leg: Leg, operations: readonly ClientOperation[]): string {
  const columns = columnsOf(leg.steps, operations.length - 1, leg.cut === undefined).slice(-STEPS_MAX);
  const paths = pathsOf(leg, columns);
  const height = TOP + paths.length * ROW + 8;
  const front = LEFT + columns.length * COLUMN + 6;
  const parts = [
    `<rect x="0" y="${TOP - 6}" width="${front}" height="${height - TOP + 4}" class="disk"/>`,
    text(6, 18, 'client', 'lane'),
    text(6, TOP - 12, 'disk', 'lane'),
    ...paths.map((path, row) => drawRow(path, row, front)),
    ...operations.map((operation, index) => drawOperation(operation, index, columns)),
    ...columns.map((column, index) => drawStep(column, index, paths)),
    drawFront(leg, front, height),
    ...paths.map((path, row) => drawLeft(leg, path, row, front)),
  ];
  const omitted = leg.steps.length - columns.filter(({ step }) => step !== undefined).length;
  const note = omitted > 0 ? `<p class="soft">${omitted} earlier steps are left out.</p>` : '';
  return `${note}<div class="sheet"><svg width="${front + RIGHT}" height="${height}" role="img" aria-label="what client and disk did">${parts.join('')}</svg></div>`;
}

function placed(x: number, y: number, words: string, kind: string): string {
  return `<text x="${x}" y="${y}" class="${kind}">${escapeHtml(words)}</text>`;
}

const text = placed;

/** Files in the order in which they are met, then those that were only left; the folder itself last. */
function pathsOf({ left }: Leg, columns: readonly Column[]): string[] {
  const met = columns.flatMap(({ step }) => (step === undefined ? [] : [step.path, step.target]));
  const all = [...new Set([...met.filter((path) => path !== ''), ...left.paths()])].slice(0, ROWS_MAX - 1);
  return met.includes('') ? [...all, ''] : all;
}

function drawRow(path: string, row: number, front: number): string {
  const y = TOP + row * ROW;
  const line = `<line x1="0" x2="${front}" y1="${y + ROW - 3}" y2="${y + ROW - 3}" class="row"/>`;
  return line + text(6, y + 14, path === '' ? 'the folder' : shorten(path, 18), 'file');
}

function drawOperation({ label, told }: ClientOperation, index: number, columns: readonly Column[]): string {
  const first = columns.findIndex(({ operation }) => operation === index);
  if (first < 0) return '';
  const last = columns.findLastIndex(({ operation }) => operation === index);
  const x = LEFT + first * COLUMN;
  const width = (last - first + 1) * COLUMN - 3;
  const words = index === 0 ? label : `${index - 1} ${label}`;
  const shown = shorten(words, Math.max(3, Math.floor((width - 8) / CHARACTER)));
  const answer =
    told === ''
      ? ''
      : text(x + 5, 38, shorten(told, Math.max(3, Math.floor(width / 5.4))), `told ${told.split(' ')[0]}`);
  return (
    `<g><title>${escapeHtml(told === '' ? words : `${words}: ${told}`)}</title>` +
    `<rect x="${x}" y="2" width="${width}" height="${CLIENT_HEIGHT}" rx="3" class="client"/>` +
    `${text(x + 5, 20, shown, 'operation')}${answer}</g>` +
    `<line x1="${x - 1.5}" x2="${x - 1.5}" y1="2" y2="${TOP - 8}" class="begin"/>`
  );
}

const SHORT: Readonly<Record<string, string>> = {
  write: 'write',
  create: 'new',
  rename: 'name',
  unlink: 'gone',
  truncate: 'cut',
  sync: 'fsync',
  syncDirectory: 'fsync',
  makeDirectory: 'mkdir',
};

function drawStep({ step }: Column, index: number, paths: readonly string[]): string {
  if (step === undefined) return '';
  const x = LEFT + index * COLUMN;
  const row = paths.indexOf(step.path);
  if (row < 0) return '';
  const y = TOP + row * ROW;
  const title = `<title>${escapeHtml(`step ${step.number}: ${describeStep(step)}`)}</title>`;
  if (step.fate === 'sync') {
    return `<g>${title}<rect x="${x + 12}" y="${y - 3}" width="7" height="${ROW}" rx="1.5" class="sync"/></g>`;
  }
  const target = step.target === '' ? -1 : paths.indexOf(step.target);
  const arrow =
    target < 0 || target === row
      ? ''
      : `<path d="M${x + 15} ${y + (target > row ? 20 : 0)}V${TOP + target * ROW + (target > row ? 0 : 20)}" class="arrow ${step.fate}"/>` +
        `<circle cx="${x + 15}" cy="${TOP + target * ROW + 10}" r="3.5" class="end ${step.fate}"/>`;
  return (
    `<g>${title}${arrow}<rect x="${x}" y="${y}" width="${COLUMN - 4}" height="20" rx="2" class="${step.fate}"/>` +
    `${text(x + 3, y + 14, SHORT[step.operation] ?? step.operation, 'small')}</g>`
  );
}

function drawFront({ cut }: Leg, front: number, height: number): string {
  if (cut === undefined) return text(front + 10, 20, 'the program ended; nothing was cut', 'told');
  return (
    `<line x1="${front}" x2="${front}" y1="0" y2="${height}" class="front"/>` +
    `${text(front + 10, 18, 'POWER CUT', 'cut')}${text(front + 10, 36, `before step ${cut.step}`, 'told')}` +
    text(front + 10, TOP - 12, 'what was left', 'lane')
  );
}

/** Right of the front: what came back of one file. */
function drawLeft({ seen, left, cut }: Leg, path: string, row: number, front: number): string {
  if (path === '' || cut === undefined) return '';
  const before = seen.get(path);
  const after = left.get(path);
  const y = TOP + row * ROW + 14;
  const name = `${shorten(path, 18)}: `;
  const text = (x: number, at: number, words: string, kind: string): string => placed(x, at, name + words, kind);
  if (before === undefined && after === undefined) return text(front + 10, y, 'not there', 'told');
  if (after === undefined) return text(front + 10, y, `gone (${before?.length ?? 0} bytes)`, 'left lost');
  if (before === undefined) return text(front + 10, y, `back, ${after.length} bytes`, 'left torn');
  const differs = firstDifference(before, after);
  if (differs === undefined) return text(front + 10, y, `${after.length} bytes, whole`, 'left durable');
  const size = after.length === before.length ? `${after.length} bytes` : `${after.length} of ${before.length} bytes`;
  return text(front + 10, y, `${size}, other from ${differs} on`, 'left lost');
}

/** The first position at which two files differ, the end of the shorter included. */
export function firstDifference(before: Uint8Array, after: Uint8Array): number | undefined {
  let first = 0;
  while (first < before.length && first < after.length && before[first] === after[first]) first++;
  return first === before.length && first === after.length ? undefined : first;
}
