/** Which histories cannot be: they get an error that names the operation, never a verdict. */
import { LightningError } from '../base/errors.ts';
import { type HistoryColumns, OUTCOME } from './columns.ts';

function refuse(problem: string, details: Readonly<Record<string, unknown>>): never {
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `history: ${problem}`, details);
}

function isRising(numbers: Float64Array): boolean {
  for (let i = 1; i < numbers.length; i++) if (numbers[i] <= numbers[i - 1]) return false;
  return true;
}

/**
 * Every id once, a client with one operation at a time, calls before returns, and a return of whatever has an outcome.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT`
 */
export function checkShape({ count, id, client, outcome, call, return: ends, markers }: HistoryColumns): void {
  if (!isRising(id)) {
    const sorted = id.toSorted();
    for (let i = 1; i < count; i++)
      if (sorted[i] === sorted[i - 1]) refuse(`id ${sorted[i]} is used a second time`, {});
  }
  const places = Int32Array.from(id, (_, i) => i);
  if (!isRising(call)) places.sort((a, b) => call[a] - call[b]);
  const crashes = markers.filter(({ kind }) => kind === 'crash').map(({ index }) => index);
  const busyUntil = new Map<number, number>();
  for (const i of places) {
    const details = { id: id[i], client: client[i] };
    if (!(Number.isFinite(call[i]) && ends[i] > call[i])) refuse(`operation ${id[i]} returns before its call`, details);
    if (outcome[i] === OUTCOME.ok && ends[i] === Infinity) {
      refuse(`operation ${id[i]} has no return and yet an outcome`, details);
    }
    const until = busyUntil.get(client[i]);
    const freed = until !== undefined && crashes.some((at) => at > until && at < call[i]);
    if (until !== undefined && call[i] < until && !freed)
      refuse(`client ${client[i]} has two operations at once`, details);
    busyUntil.set(client[i], outcome[i] === OUTCOME.unknown ? call[i] : ends[i]);
  }
}
