/**
 * Traces that were tampered with: an event is missing, two events changed places, or one logged value is another. Each
 * event carries its number, which tells of the first two by itself; a blind variant leaves the numbers aside, and only the
 * model can refuse it.
 */
import type { TraceEvent, TraceValue } from './trace-events.ts';
import type { Tampering } from './trace-module.ts';
import { TRACE_CLOCK_MAX } from './trace-mvcc.ts';

/** Actions after which nothing that was chosen waits to be seen: a file's number is until somebody names the file. */
const SETTLED = new Set(['Acknowledge', 'RecoverPublish', 'Publish', 'MergeEnd', 'Read']);

/** At most so many events, up to one after which nothing is open. */
export function settledPrefix(events: readonly TraceEvent[], countMax: number): readonly TraceEvent[] {
  const end = events.slice(0, countMax).findLastIndex(({ action }) => SETTLED.has(action));
  return events.slice(0, end + 1);
}

/** Each event but the last left out; the others keep their numbers. */
export function dropped(events: readonly TraceEvent[]): Tampering[] {
  return events.slice(1).map((_, index) => ({ kind: 'drop', event: index + 1 }));
}

/** Each two events in the other's place, at most `apart` from each other, with their numbers. */
export function swapped(events: readonly TraceEvent[], apart = Infinity): Tampering[] {
  return events.flatMap((_, index) => {
    const last = Math.min(events.length, index + 1 + apart);
    return Array.from({ length: Math.max(0, last - index - 1) }, (__, other): Tampering => ({
      kind: 'swap',
      event: index + 1,
      other: index + 2 + other,
    }));
  });
}

/** The same without the help of the numbers. */
export function blindly(tamperings: readonly Tampering[]): Tampering[] {
  return tamperings.map((one) => ({ ...one, blind: true }));
}

/** No number of a trace comes near it. */
const FAR = 1_000_000;

/** Other words that could stand in a trace. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  put: 'delete',
  delete: 'put',
  clear: 'delete',
  a: 'b',
  b: 'c',
  c: 'a',
};

function isRecord(value: TraceValue): value is { readonly [name: string]: TraceValue } {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Set);
}

/** Every value that differs from this one in one place. */
function others(value: TraceValue): TraceValue[] {
  if (typeof value === 'number') return [value + 1];
  if (typeof value === 'boolean') return [!value];
  if (typeof value === 'string') return [OTHER_WORDS[value] ?? 'other'];
  if (value instanceof Set) return othersOfSet(value as ReadonlySet<TraceValue>);
  if (isRecord(value)) {
    return Object.entries(value).flatMap(([name, field]) =>
      others(field).map((other) => ({ ...value, [name]: other })),
    );
  }
  const elements = value as readonly TraceValue[];
  return elements.flatMap((element, index) => others(element).map((other) => elements.with(index, other)));
}

function othersOfSet(set: ReadonlySet<TraceValue>): TraceValue[] {
  const elements = [...set];
  const without = elements.map((element) => new Set(elements.filter((one) => one !== element)));
  const [first] = elements;
  const more = typeof first === 'number' || first === undefined ? FAR : 'other';
  return [...without, new Set([...elements, more])];
}

/** Each logged value made another in each of its places, one at a time. An event's name and number are not values. */
export function corrupted(events: readonly TraceEvent[]): Tampering[] {
  return events.flatMap((event, index) =>
    Object.entries(event).flatMap(([name, value]): Tampering[] => {
      if (name === 'n' || name === 'action') return [];
      // A clock that is behind what was collected is read by nobody: only one before it is another.
      const values = name === 'time' ? [TRACE_CLOCK_MAX] : others(value);
      return values.map((other) => ({ kind: 'change', event: index + 1, to: { ...event, [name]: other } }));
    }),
  );
}
