/** Pictures of the page, as inline SVG that takes its colours from the style sheet, so that dark and light both work. */
import type { Evidence } from './evidence.ts';
import { escapeHtml, formatNumber, formatSeconds, shorten } from './html.ts';

const WIDTH = 440;
/** The one picture that takes the whole column. */
const WIDE = 800;
/** More points than pixels show nothing more. */
const POINT_COUNT_MAX = 280;
const BAR_COUNT_MAX = 24;

type Point = readonly [number, number];

/** A value on a scale, rounded so that the page stays small. */
function place(value: number): string {
  return String(Number(value.toFixed(1)));
}

/** Round numbers from 0 or below to `high` or above, four or five of them. */
export function ticks(low: number, high: number): number[] {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough) ?? rough;
  const found: number[] = [];
  const first = Math.floor(low / step) * step;
  for (let index = 0; index <= 8; index++) {
    const value = Number((first + index * step).toPrecision(12));
    found.push(value);
    if (value >= high && index > 0) break;
  }
  return found;
}

function thin(points: readonly Point[]): readonly Point[] {
  if (points.length <= POINT_COUNT_MAX) return points;
  const kept: Point[] = [];
  for (let index = 0; index < POINT_COUNT_MAX; index++) {
    kept.push(points[Math.round((index * (points.length - 1)) / (POINT_COUNT_MAX - 1))]);
  }
  return kept;
}

/** A line over time or size, with gridlines and the last value named. */
export function lineFigure(series: Evidence['series'][number]): string {
  const points = thin(series.points.toSorted((a, b) => a[0] - b[0]));
  if (points.length < 2) return '';
  const height = 190;
  const [left, right, top, bottom] = [58, 18, 14, 36];
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const yTicks = ticks(Math.min(0, ...ys), Math.max(...ys));
  const xTicks = ticks(xs[0], xs[xs.length - 1]).filter((x) => x >= xs[0] && x <= xs[xs.length - 1]);
  const [yLow, yHigh] = [yTicks[0], yTicks[yTicks.length - 1]];
  const toX = (x: number): number => left + ((x - xs[0]) / (xs[xs.length - 1] - xs[0] || 1)) * (WIDTH - left - right);
  const toY = (y: number): number => height - bottom - ((y - yLow) / (yHigh - yLow || 1)) * (height - top - bottom);
  const grid = yTicks.map(
    (y) =>
      `<line class="grid" x1="${left}" x2="${WIDTH - right}" y1="${place(toY(y))}" y2="${place(toY(y))}"/>` +
      `<text class="tick" x="${left - 8}" y="${place(toY(y) + 4)}" text-anchor="end">${formatNumber(y)}</text>`,
  );
  const below = xTicks.map(
    (x) =>
      `<text class="tick" x="${place(toX(x))}" y="${height - bottom + 16}" text-anchor="middle">${formatNumber(x)}</text>`,
  );
  const path = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${place(toX(x))} ${place(toY(y))}`).join('');
  const base = place(toY(Math.max(0, yLow)));
  const area = `${path}L${place(toX(xs[xs.length - 1]))} ${base}L${place(toX(xs[0]))} ${base}Z`;
  const [lastX, lastY] = points[points.length - 1];
  return figure(
    series.name,
    series.yLabel,
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(series.name)}">${grid.join('')}${below.join('')}` +
      `<path class="area" d="${area}"/><path class="line" d="${path}"/>` +
      `<circle class="dot" cx="${place(toX(lastX))}" cy="${place(toY(lastY))}" r="3.5"/>` +
      `<text class="tick" x="${WIDTH - right}" y="${height - 4}" text-anchor="end">${escapeHtml(series.xLabel)}</text></svg>`,
  );
}

/** A bar with its name and value. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly text: string;
}

/** Horizontal bars on one scale. */
export function barFigure(title: string, unit: string, bars: readonly Bar[]): string {
  const shown = bars.slice(0, BAR_COUNT_MAX);
  const most = Math.max(...shown.map(({ value }) => value), Number.MIN_VALUE);
  const [row, left, right] = [24, 172, 62];
  const rows = shown.map(({ name, value, text }, index) => {
    const y = index * row;
    const width = Math.max(1.5, (Math.max(0, value) / most) * (WIDTH - left - right));
    return (
      `<text class="label" x="${left - 10}" y="${y + 16}" text-anchor="end">${escapeHtml(shorten(name, 23))}</text>` +
      `<rect class="bar" x="${left}" y="${y + 5}" width="${place(width)}" height="14" rx="2"/>` +
      `<text class="value" x="${place(left + width + 7)}" y="${y + 16}">${escapeHtml(text)}</text>`
    );
  });
  const height = shown.length * row + 4;
  return figure(
    title,
    unit,
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(title)}">${rows.join('')}</svg>`,
  );
}

/** A planted bug on the scale of time to kill. */
export interface Kill {
  readonly name: string;
  readonly seconds: number;
  readonly budgetSeconds: number;
}

/** One dot for each planted bug that was caught, on a logarithmic scale of seconds, with its budget as a tick. */
export function killFigure(kills: readonly Kill[]): string {
  const shown = kills.toSorted((a, b) => a.seconds - b.seconds).slice(0, 40);
  if (shown.length === 0) return '';
  const [left, right, row, top] = [290, 76, 22, 8];
  const least = Math.min(0.1, ...shown.map(({ seconds }) => Math.max(0.001, seconds)));
  const low = Math.floor(Math.log10(least));
  const high = Math.ceil(Math.log10(Math.max(...shown.map(({ budgetSeconds }) => budgetSeconds))));
  const toX = (seconds: number): number => {
    const position = (Math.log10(Math.max(10 ** low, seconds)) - low) / (high - low);
    return left + position * (WIDE - left - right);
  };
  const bottom = top + shown.length * row;
  const grid: string[] = [];
  for (let power = low; power <= high; power++) {
    const x = place(toX(10 ** power));
    grid.push(`<line class="grid" x1="${x}" x2="${x}" y1="${top}" y2="${bottom}"/>`);
    grid.push(
      `<text class="tick" x="${x}" y="${bottom + 16}" text-anchor="middle">${power < 0 ? `${1000 * 10 ** power} ms` : `${10 ** power} s`}</text>`,
    );
  }
  const rows = shown.map(({ name, seconds, budgetSeconds }, index) => {
    const y = top + index * row + row / 2;
    const [x, budget] = [toX(seconds), place(toX(budgetSeconds))];
    return (
      `<text class="label" x="${left - 12}" y="${y + 4}" text-anchor="end">${escapeHtml(shorten(name, 38))}</text>` +
      `<line class="stem" x1="${left}" x2="${place(x)}" y1="${y}" y2="${y}"/>` +
      `<line class="budget" x1="${budget}" x2="${budget}" y1="${y - 6}" y2="${y + 6}"/>` +
      `<circle class="dot" cx="${place(x)}" cy="${y}" r="4.5"/>` +
      `<text class="value" x="${place(x + 10)}" y="${y + 4}">${formatSeconds(seconds)}</text>`
    );
  });
  return (
    `<svg class="wide" viewBox="0 0 ${WIDE} ${bottom + 22}" role="img" aria-label="time to kill">` +
    `${grid.join('')}${rows.join('')}</svg>`
  );
}

function figure(title: string, unit: string, svg: string): string {
  const note = unit === '' ? '' : ` <span class="unit">${escapeHtml(unit)}</span>`;
  return `<figure><figcaption>${escapeHtml(title)}${note}</figcaption>${svg}</figure>`;
}
