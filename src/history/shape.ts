/** Which histories cannot be: they get an error that names the operation, never a verdict. */
import { LightningError } from '../base/errors.ts';
import { ACCESS, type HistoryColumns, OUTCOME } from './columns.ts';

function refuse(problem: string, details: Readonly<Record<string, unknown>>): never {
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history: ${problem}`, details);
}

const FEW_CLIENTS = 256;

function isRising(numbers: Float64Array): boolean {
  for (let i = 1; i < numbers.length; i++) if (numbers[i] <= numbers[i - 1]) return false;
  return true;
}

/**
 * Every id once, a client with one operation at a time, calls before returns, and a return of whatever has an outcome.
 * @param order `calls`: operations must stand in the order of their calls
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT`
 */
export function checkShape(columns: HistoryColumns, order: 'calls' | 'any' = 'calls'): void {
  const { count, id, client, outcome, call, return: ends, markers } = columns;
  if (!isRising(id)) {
    const sorted = id.toSorted();
    for (let i = 1; i < count; i++)
      if (sorted[i] === sorted[i - 1]) refuse(`id ${sorted[i]} is used a second time`, {});
  }
  const places =
    order === 'calls' || isRising(call) ? undefined : Int32Array.from(call.keys()).sort((a, b) => call[a] - call[b]);
  const crashes = markers.filter(({ kind }) => kind === 'crash').map(({ index }) => index);
  // Clients are mostly few and numbered from 0: those need no map.
  const few = new Float64Array(FEW_CLIENTS).fill(-Infinity);
  const many = new Map<number, number>();
  for (let at = 0; at < count; at++) {
    const i = places === undefined ? at : places[at];
    const [from, to, by] = [call[i], ends[i], client[i]];
    if (!Number.isFinite(id[i])) refuse('an id is no number', { place: i });
    if (order === 'calls' && at > 0 && from < call[at - 1])
      refuse('operations are not in the order of their calls', { id: id[i] });
    if (!(from < Infinity && to > from)) refuse(`operation ${id[i]} returns before its call`, { id: id[i] });
    if (outcome[i] === OUTCOME.unknown && to !== Infinity) {
      refuse(`operation ${id[i]} has a return and yet an unknown outcome`, { id: id[i] });
    }
    if (outcome[i] === OUTCOME.ok && to === Infinity) {
      refuse(`operation ${id[i]} has no return and yet an outcome`, { id: id[i] });
    }
    const isFew = Number.isInteger(by) && by >= 0 && by < FEW_CLIENTS;
    const until = isFew ? few[by] : (many.get(by) ?? -Infinity);
    if (from < until && !crashes.some((crash) => crash > until && crash < from)) {
      refuse(`client ${by} has two operations at once`, { id: id[i], client: by });
    }
    const busyUntil = outcome[i] === OUTCOME.unknown ? from : to;
    if (isFew) few[by] = busyUntil;
    else many.set(by, busyUntil);
  }
}

/**
 * By key: 1 when it is a list.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for one that is also a register, or a text that lengthens
 */
export function listKeys({ what, key, keys }: HistoryColumns): Uint8Array {
  const [isRegister, isList] = [new Uint8Array(keys.count), new Uint8Array(keys.count)];
  for (let a = 0; a < what.length; a++) {
    if (what[a] === ACCESS.join) refuse(`key ${keys.at(key[a])} is appended to as a text, not as a list`, {});
    if (what[a] === ACCESS.append || what[a] === ACCESS.list) isList[key[a]] = 1;
    else if (what[a] !== ACCESS.range) isRegister[key[a]] = 1;
  }
  const both = isList.findIndex((list, k) => list === 1 && isRegister[k] === 1);
  if (both >= 0) refuse(`key ${keys.at(both)} is used both as a list and as a register`, { key: keys.at(both) });
  return isList;
}
