/**
 * Counterexamples of MVCC.tla in which a serializable transaction commits, replayed on the face that has such transactions.
 * A commit that the snapshot does not see stands behind the snapshot: the face publishes before it answers.
 */
import { fromText } from '../src/base/bytes.ts';
import { isLightningError } from '../src/base/errors.ts';
import { Database } from '../src/database/index.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { MvccState } from './replay-mvcc.ts';
import type { Observed, Replay } from './replay-verdict.ts';
import type { ModelState } from './state-graph.ts';

/** Replays one counterexample: commits, one snapshot, and a commit there of whoever read every key. */
export async function replaySerializable(states: readonly ModelState[]): Promise<Replay> {
  const typed = states as unknown as readonly MvccState[];
  const opens = typed.findIndex(({ live }) => live.length > 0);
  const { log, published } = typed[opens];
  const last = typed[typed.length - 1].log;
  const keys = [...new Set(last.flatMap((one) => one.keys))];
  const calls: string[] = [];
  const observed: Observed[] = [];
  const database = Database.openOn(new SimulatedDisk());
  const put = async (key: string): Promise<void> => {
    calls.push(`put ${key}`);
    await database.put(fromText(key), fromText('v'));
  };
  try {
    for (const commit of log.slice(0, published)) for (const key of commit.keys) await put(key);
    const transaction = database.begin({ isolation: 'serializable' });
    for (const key of keys) {
      calls.push(`read ${key} in a transaction`);
      await transaction.get(fromText(key));
    }
    for (const commit of log.slice(published)) for (const key of commit.keys) await put(key);
    for (const key of last[last.length - 1].keys) transaction.put(fromText(key), fromText('w'));
    calls.push(`commit ${last[last.length - 1].keys.join(' ')}`);
    try {
      await transaction.commit();
      const text = 'a transaction committed, and what it read had changed';
      observed.push({ invariant: 'CommitsAreSerializable', text });
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_CONFLICT')) throw error;
    }
  } finally {
    await database.close();
  }
  return { calls, runs: 1, observed };
}
