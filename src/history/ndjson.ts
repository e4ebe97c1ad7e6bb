/**
 * Histories as newline-delimited JSON, one event a line, so that one can be written while it happens and read after the
 * writer was killed. A last line without its newline is a cut one: an error, unless the reader is told to expect it.
 */
import { LightningError } from '../base/errors.ts';
import { type HistoryEvent, historyOfEvents } from './events.ts';
import { type Cell, type History, HISTORY_KINDS } from './history.ts';
import { HISTORY_EVENTS_MAX, HISTORY_LINE_MAX } from './limits.ts';

function refuse(line: number, problem: string, cause?: unknown): never {
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history, line ${line}: ${problem}`, { line, problem }, cause);
}

/** One event as a line with its newline. */
export function formatEvent(event: HistoryEvent): string {
  return `${JSON.stringify(event)}\n`;
}

/** All events as lines. */
export function formatEvents(events: readonly HistoryEvent[]): string {
  return events.map(formatEvent).join('');
}

function isCell(value: unknown): value is Cell {
  if (typeof value !== 'object' || value === null || !('key' in value) || !('value' in value)) return false;
  return typeof value.key === 'string' && (typeof value.value === 'string' || value.value === null);
}

function isCells(value: unknown): boolean {
  return Array.isArray(value) && value.every(isCell);
}

const KINDS: readonly unknown[] = HISTORY_KINDS;
const DURABILITIES: readonly unknown[] = [undefined, 'volatile', 'synced'];
const OUTCOMES: readonly unknown[] = ['ok', 'failed', 'unknown'];

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isAccess(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, key, value: cell, element, elements, from, to, rows } = value as Record<string, unknown>;
  if (kind === 'range') return isText(from) && (isText(to) || to === null) && isCells(rows);
  if (!isText(key)) return false;
  if (kind === 'append') return isText(element);
  if (kind === 'list') return Array.isArray(elements) && elements.every(isText);
  return (kind === 'read' || kind === 'write') && (isText(cell) || cell === null);
}

/** What is wrong with an event; `undefined` when nothing is. */
function problemOfEvent(fields: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof fields['time'] !== 'number') return 'no time';
  if (fields['event'] === 'crash' || fields['event'] === 'reopen') return undefined;
  if (fields['event'] !== 'call' && fields['event'] !== 'return') return `unknown event "${String(fields['event'])}"`;
  if (!Number.isSafeInteger(fields['id'])) return 'no id';
  if (fields['event'] === 'call') {
    if (!Number.isSafeInteger(fields['client'])) return 'no client';
    if (!KINDS.includes(fields['kind'])) return `unknown kind "${String(fields['kind'])}"`;
    if (!isCells(fields['writes'])) return 'writes are no list of cells';
    if (fields['kind'] !== 'cas') return undefined;
    return isText(fields['expected']) || fields['expected'] === null ? undefined : 'a cas without what it expects';
  }
  if (!OUTCOMES.includes(fields['outcome'])) return `unknown outcome "${String(fields['outcome'])}"`;
  if (fields['writes'] !== undefined && !isCells(fields['writes'])) return 'writes are no list of cells';
  if (!DURABILITIES.includes(fields['durability'])) return `unknown durability "${String(fields['durability'])}"`;
  if (fields['swapped'] !== undefined && typeof fields['swapped'] !== 'boolean') return 'swapped is not a boolean';
  if (fields['accesses'] !== undefined && !(Array.isArray(fields['accesses']) && fields['accesses'].every(isAccess))) {
    return 'accesses are no list of accesses';
  }
  return isCells(fields['reads']) ? undefined : 'reads are no list of cells';
}

/**
 * Reads events.
 * @param cutLastLine `allow` drops a last line without newline (the writer was killed); `refuse` is the default
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` naming the line and what is wrong with it
 */
export function parseEvents(text: string, cutLastLine: 'refuse' | 'allow' = 'refuse'): readonly HistoryEvent[] {
  const lines = text.split('\n');
  const last = lines.pop() ?? '';
  if (last !== '' && cutLastLine === 'refuse') refuse(lines.length + 1, 'the last line is cut');
  if (lines.length > HISTORY_EVENTS_MAX) refuse(lines.length, 'too many lines');
  return lines.map((line, index) => {
    if (line.length > HISTORY_LINE_MAX) refuse(index + 1, 'too long');
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      refuse(index + 1, 'not JSON', error);
    }
    if (typeof value !== 'object' || value === null) refuse(index + 1, 'not an object');
    const problem = problemOfEvent(value as Record<string, unknown>);
    if (problem !== undefined) refuse(index + 1, problem);
    return value as HistoryEvent;
  });
}

/** Reads a saved history. @throws LightningError `LIGHTNING_INVALID_ARGUMENT` naming the line */
export function parseHistory(text: string, cutLastLine: 'refuse' | 'allow' = 'refuse'): History {
  return historyOfEvents(parseEvents(text, cutLastLine));
}
