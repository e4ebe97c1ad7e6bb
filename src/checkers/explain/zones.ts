/** What zones found, as a verdict for people: the values, and everybody who wrote or read them. */
import { ACCESS, type HistoryColumns, OUTCOME, valueOf } from '../../history/columns.ts';
import type { ZoneConflict } from '../registers.ts';
import { type HistoryVerdict, invalid, valid } from '../verdict.ts';

/** `valid` when there is no conflict. */
export function verdictOfZones(columns: HistoryColumns, conflict: ZoneConflict | undefined): HistoryVerdict {
  if (conflict === undefined) return valid(columns.count);
  const { why, cells } = conflict;
  const [first, second] = cells.map((cell) => String(valueOf(columns, cell)));
  const stories = {
    'too-early': `a read returned ${first} before it was written`,
    both: `values ${first} and ${second} must both hold the register at once`,
    inside: `value ${first} has no moment outside that of ${second}`,
  };
  const message = `key ${columns.keys.at(columns.cellKey[cells[0]])}: ${stories[why]}`;
  return invalid('not-linearizable', message, [...new Set(cells.flatMap((cell) => idsOf(columns, cell)))]);
}

/** Who wrote or read a cell. */
function idsOf({ count, first, what, cell, outcome, id }: HistoryColumns, one: number): number[] {
  const ids: number[] = [];
  for (let i = 0; i < count; i++) {
    const a = first[i];
    if (a === first[i + 1] || cell[a] !== one || outcome[i] === OUTCOME.failed) continue;
    if (what[a] === ACCESS.write) ids.unshift(id[i]);
    else if (outcome[i] === OUTCOME.ok) ids.push(id[i]);
  }
  return ids;
}
