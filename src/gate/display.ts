/** What a person sees while the gate runs: a bar with the running processes on a terminal, plain lines elsewhere. */
import { styleText } from 'node:util';
import { monotonicMilliseconds } from '../base/clock.ts';
import type { RunObserver } from './stage-run.ts';

const BAR_WIDTH = 28;
const REDRAW_MILLISECONDS = 120;
const ERASE_LINE = '\u001b[2K';

interface Running {
  readonly startedAt: number;
  readonly budgetSeconds: number;
  text: string;
}

/** Where the display writes; standard error in the command. */
export interface DisplayStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** A bar of `width` cells, `fraction` of which are full. */
export function bar(fraction: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/** The display of one run. */
export class Display implements RunObserver {
  private readonly stream: DisplayStream;
  private readonly startedAt = monotonicMilliseconds();
  private readonly running = new Map<string, Running>();
  private expected: number;
  private done = 0;
  private drawnLines = 0;
  private readonly timer: NodeJS.Timeout | undefined;

  /** @param expected about how many processes there will be */
  constructor(stream: DisplayStream, expected: number) {
    this.stream = stream;
    this.expected = expected;
    if (stream.isTTY === true) this.timer = setInterval(() => this.draw(), REDRAW_MILLISECONDS);
  }

  started(id: string, budgetSeconds: number): void {
    this.running.set(id, { startedAt: monotonicMilliseconds(), budgetSeconds, text: '' });
    if (this.timer === undefined) this.line(`${id} started`);
  }

  progressed(id: string, text: string): void {
    const entry = this.running.get(id);
    if (entry !== undefined) entry.text = text;
  }

  ended(id: string, text: string): void {
    const seconds = (monotonicMilliseconds() - (this.running.get(id)?.startedAt ?? 0)) / 1000;
    this.running.delete(id);
    this.done++;
    this.expected = Math.max(this.expected, this.done);
    this.line(`${id} ${text} after ${seconds.toFixed(1)} s`);
  }

  /** A line that stays. */
  line(text: string): void {
    this.erase();
    const seconds = ((monotonicMilliseconds() - this.startedAt) / 1000).toFixed(1);
    this.stream.write(`${this.paint('dim', `${seconds.padStart(6)} s`)}  ${text}\n`);
    this.draw();
  }

  /** Takes the bar away. */
  close(): void {
    clearInterval(this.timer);
    this.erase();
  }

  private paint(style: 'dim' | 'bold', text: string): string {
    return this.stream.isTTY === true ? styleText(style, text) : text;
  }

  private erase(): void {
    if (this.drawnLines === 0) return;
    this.stream.write(`\u001b[${this.drawnLines}A`);
    for (let line = 0; line < this.drawnLines; line++) this.stream.write(`${ERASE_LINE}\n`);
    this.stream.write(`\u001b[${this.drawnLines}A`);
    this.drawnLines = 0;
  }

  private draw(): void {
    if (this.timer === undefined) return;
    this.erase();
    const width = Math.max(40, this.stream.columns || 100) - 1;
    const lines = [`${bar(this.done / this.expected, BAR_WIDTH)}  ${this.done} of about ${this.expected} processes`];
    for (const [id, { startedAt, budgetSeconds, text }] of this.running) {
      const seconds = (monotonicMilliseconds() - startedAt) / 1000;
      const own = bar(budgetSeconds === 0 ? 0 : seconds / budgetSeconds, 10);
      lines.push(`  ${own} ${seconds.toFixed(0).padStart(3)}/${budgetSeconds.toFixed(0)} s  ${id}  ${text}`);
    }
    for (const line of lines) this.stream.write(`${line.slice(0, width)}\n`);
    this.drawnLines = lines.length;
  }
}

/** An observer that shows nothing. */
export const silentObserver: RunObserver = { started: () => {}, progressed: () => {}, ended: () => {} };
