/** Traces that were tampered with: one event is missing, two neighbours changed places, or one logged value is another. */
import type { TraceEvent, TraceValue } from './trace-events.ts';
import type { Tampering } from './trace-module.ts';

/** Each event but the last left out; the others keep their numbers. */
export function dropped(events: readonly TraceEvent[]): Tampering[] {
  return events.slice(1).map((_, index) => ({ from: index + 1, events: [], resume: index + 2 }));
}

/** Each two neighbours in the other order, with their numbers. */
export function swapped(events: readonly TraceEvent[]): Tampering[] {
  return events
    .slice(1)
    .map((later, index) => ({ from: index + 1, events: [later, events[index]], resume: index + 3 }));
}

function changed(value: TraceValue): TraceValue | undefined {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const [first, ...rest] = value as readonly TraceValue[];
  if (typeof first === 'object' && 'seq' in first) return [{ ...first, seq: Number(first['seq']) + 1 }, ...rest];
  const other = changed(first);
  return other === undefined ? undefined : [other, ...rest];
}

/**
 * What is no outcome: another clock, or a merge of another number of runs, is as lawful until a later event speaks of it,
 * and a trace may end before.
 */
const CHOICES = new Set(['n', 'action', 'time', 'count']);

/** Each logged number, answer and truth made another, one at a time; the event's own number and mere choices are left alone. */
export function corrupted(events: readonly TraceEvent[]): Tampering[] {
  return events.flatMap((event, index) =>
    Object.entries(event).flatMap(([name, value]): Tampering[] => {
      const other = CHOICES.has(name) ? undefined : changed(value);
      if (other === undefined) return [];
      return [{ from: index + 1, events: [{ ...event, [name]: other }], resume: index + 2 }];
    }),
  );
}
