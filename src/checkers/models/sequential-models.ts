/** Sequential objects, as pure functions, for the general search. */
import type { Cell, HistoryOperation } from '../../history/history.ts';

/** An object that does one operation at a time. States are never changed, only replaced. */
export interface SequentialModel<State> {
  readonly initial: State;
  /** The state after an operation, or `undefined` when the operation cannot have returned what it did. */
  step(state: State, operation: HistoryOperation): State | undefined;
  /** Whether an operation changes no state in which it can have answered as it did; then it needs no search. */
  isReadOnly?(operation: HistoryOperation): boolean;
  /** Equal for equal states, different for different ones. */
  fingerprint(state: State): string;
}

/** Keys and values as one sorted list; keys that are absent are not in it. */
export type MapState = readonly Cell[];

function valueAt(state: MapState, key: string): string | null {
  return state.find((cell) => cell.key === key)?.value ?? null;
}

function withCell(state: MapState, { key, value }: Cell): MapState {
  const rest = state.filter((cell) => cell.key !== key);
  if (value === null) return rest;
  const at = rest.findIndex((cell) => cell.key > key);
  return at < 0 ? [...rest, { key, value }] : rest.toSpliced(at, 0, { key, value });
}

/**
 * A map in which every operation is atomic: all its reads hold at one moment, and its writes take effect right then.
 * Deletions, batches, scans and transactions included. An operation of unknown outcome has no reads to hold.
 */
export const atomicMap: SequentialModel<MapState> = {
  initial: [],
  step(state, operation) {
    for (const { key, value } of operation.reads) if (valueAt(state, key) !== value) return undefined;
    return operation.writes.reduce(withCell, state);
  },
  isReadOnly: (operation) => operation.writes.length === 0,
  fingerprint(state) {
    return JSON.stringify(state.map(({ key, value }) => [key, value]));
  },
};
