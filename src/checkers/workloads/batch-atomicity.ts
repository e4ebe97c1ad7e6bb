/**
 * Readers never see a part of a batch (fractured read; Bailis et al., "Scalable Atomic Visibility with RAMP
 * Transactions", 2014), nor anything of one that was rejected (G1a).
 *
 * A read that is atomic and returns batch b at one key must not return, at another key that b wrote, something that b
 * has replaced. Without a version order that is certain in three cases: the other value is the initial one; its writer
 * had returned before b was called; or its writer also wrote the first key, so that whichever of the two came last
 * shows at both.
 */
import type { History, HistoryOperation } from '../../history/history.ts';
import { type HistoryVerdict, invalid, valid } from '../verdict.ts';

const nameOf = (key: string, value: string | null): string => JSON.stringify([key, value]);

function writersOf(history: History): ReadonlyMap<string, HistoryOperation> {
  const writers = new Map<string, HistoryOperation>();
  for (const operation of history.operations) {
    for (const { key, value } of operation.writes) if (value !== null) writers.set(nameOf(key, value), operation);
  }
  return writers;
}

const writes = (operation: HistoryOperation, key: string): boolean => operation.writes.some((cell) => cell.key === key);
const deletes = (history: History): ReadonlySet<string> =>
  new Set(history.operations.flatMap((o) => o.writes.filter((cell) => cell.value === null).map((cell) => cell.key)));

/** Checks every operation that read two keys or more. Values must be unique for each key. */
export function checkBatchAtomicity(history: History): HistoryVerdict {
  const writers = writersOf(history);
  const deleted = deletes(history);
  let checked = 0;
  for (const read of history.operations) {
    if (read.outcome !== 'ok') continue;
    for (const { key, value } of read.reads) {
      const writer = writers.get(nameOf(key, value));
      if (writer?.outcome !== 'failed' || writer === read) continue;
      const message = `key ${key}: a read returned ${String(value)}, whose write was rejected`;
      return invalid('rejected-write-visible', message, [writer.id, read.id]);
    }
    if (read.reads.length < 2) continue;
    checked++;
    const verdict = checkRead(read, writers, deleted);
    if (verdict !== undefined) return verdict;
  }
  return valid(checked);
}

function checkRead(
  read: HistoryOperation,
  writers: ReadonlyMap<string, HistoryOperation>,
  deleted: ReadonlySet<string>,
): HistoryVerdict | undefined {
  for (const seen of read.reads) {
    const batch = writers.get(nameOf(seen.key, seen.value));
    if (batch === undefined || batch === read || batch.writes.length < 2) continue;
    for (const other of read.reads) {
      if (other.key === seen.key || !writes(batch, other.key)) continue;
      const writer = writers.get(nameOf(other.key, other.value));
      if (writer === batch || writer === read) continue;
      // An absent key may also have been deleted after the batch.
      const initial = other.value === null && !deleted.has(other.key);
      const older = writer !== undefined && (writer.return < batch.call || writes(writer, seen.key));
      if (!initial && !older) continue;
      const shown = other.value === null ? 'absent' : other.value;
      const message = `a read saw operation ${batch.id} at key ${seen.key} and not at key ${other.key} (${shown})`;
      return invalid('torn-batch', message, [batch.id, ...(writer === undefined ? [] : [writer.id]), read.id]);
    }
  }
  return undefined;
}
