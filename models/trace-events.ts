/** Events of a trace, and how they are written in TLA+. */

/** A value that TLA+ has, too. An array is a sequence, a Set a set, an object a record. */
export type TraceValue =
  number | string | boolean | readonly TraceValue[] | ReadonlySet<TraceValue> | { readonly [name: string]: TraceValue };

/** One event: the action of the model that it must be, and what was logged. */
export interface TraceEvent {
  readonly action: string;
  readonly [name: string]: TraceValue;
}

/** A value as TLA+ source. Only words and numbers occur, so that no text needs escaping. */
export function toTla(value: TraceValue): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return `"${value.replaceAll(/[^\w. :()-]/g, '?')}"`;
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE';
  if (value instanceof Set) return `{${[...(value as ReadonlySet<TraceValue>)].map(toTla).join(', ')}}`;
  if (Array.isArray(value)) return `<<${(value as readonly TraceValue[]).map(toTla).join(', ')}>>`;
  return `[${Object.entries(value)
    .map(([name, field]) => `${name} |-> ${toTla(field)}`)
    .join(', ')}]`;
}

/** A trace under construction; each event gets its number when it happens. */
export class EventLog {
  readonly events: TraceEvent[] = [];
  /** Is told the number of each event when it is added. */
  onEvent: ((n: number) => void) | undefined;

  add(action: string, fields: Readonly<Record<string, TraceValue>> = {}): void {
    this.events.push({ action, n: this.events.length + 1, ...fields });
    this.onEvent?.(this.events.length);
  }
}
