/**
 * Linearizability and durability by trying every order and every cut: for tests alone, written apart from the checkers that
 * it judges.
 */
import type { History, HistoryOperation } from '../history/history.ts';

type Values = ReadonlyMap<string, string | null>;

/** The values after an operation; `undefined` when it cannot have answered as it did. */
function after(values: Values, operation: HistoryOperation): Values | undefined {
  const { kind, outcome, reads, writes, expected } = operation;
  if (reads.some(({ key, value }) => (values.get(key) ?? null) !== value)) return undefined;
  for (const access of operation.accesses ?? []) {
    if (access.kind !== 'range') continue;
    const there = [...values].filter(
      ([key, value]) => value !== null && key >= access.from && key < (access.to ?? '~'),
    );
    if (there.length !== access.rows.length) return undefined;
    if (!access.rows.every((row) => values.get(row.key) === row.value)) return undefined;
  }
  const next = new Map(values);
  for (const { key, value } of writes) {
    const now = values.get(key) ?? null;
    if (kind === 'cas' && outcome === 'ok' && operation.swapped !== (now === expected)) return undefined;
    if (kind === 'append') next.set(key, (now ?? '') + String(value));
    else if (kind !== 'cas' || now === expected) next.set(key, value);
  }
  return next;
}

/** Whether some order that respects real time explains every operation; operations without a return may be left out. */
export function someOrderExplains(history: History): boolean {
  const place = (left: readonly HistoryOperation[], values: Values): boolean => {
    if (left.every((operation) => operation.return === Infinity)) return true;
    const earliestReturn = Math.min(...left.map((operation) => operation.return));
    return left.some((operation) => {
      if (operation.call > earliestReturn) return false;
      const next = after(values, operation);
      return (
        next !== undefined &&
        place(
          left.filter((other) => other !== operation),
          next,
        )
      );
    });
  };
  return place(
    history.operations.filter(({ outcome }) => outcome !== 'failed'),
    new Map(),
  );
}

/**
 * Whether some orders and cuts explain it.
 * @param survives whether an operation must stand before the cut of its era
 */
export function someCutsExplain(history: History, survives: (operation: HistoryOperation) => boolean): boolean {
  const crashes = history.markers.filter(({ kind }) => kind === 'crash').map(({ index }) => index);
  const eraOf = ({ call }: HistoryOperation): number => crashes.filter((crash) => crash < call).length;
  const counted = history.operations.filter(({ outcome }) => outcome !== 'failed');
  const begin = (era: number, values: Values): boolean =>
    place(
      era,
      counted.filter((operation) => eraOf(operation) === era),
      values,
      undefined,
    );
  const place = (era: number, left: readonly HistoryOperation[], values: Values, kept: Values | undefined): boolean => {
    const last = era === crashes.length;
    if (left.every((operation) => operation.return === Infinity)) {
      if (last) return true;
      if (kept !== undefined && begin(era + 1, kept)) return true;
    }
    if (!last && kept === undefined && place(era, left, values, values)) return true;
    const earliestReturn = Math.min(...left.map((operation) => operation.return));
    return left.some((operation) => {
      if (operation.call > earliestReturn || (kept !== undefined && survives(operation))) return false;
      const next = after(values, operation);
      return (
        next !== undefined &&
        place(
          era,
          left.filter((other) => other !== operation),
          next,
          kept,
        )
      );
    });
  };
  return begin(0, new Map());
}
