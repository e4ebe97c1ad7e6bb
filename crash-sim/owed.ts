/** What a store still owes after the faults that have struck its disk (spec/disk.md, section 6), and a client that knows it. */
import type { Program } from '../src/contract/operations.ts';
import type { Observer } from '../src/engine/index.ts';
import { type LandedFault, toleranceOfLanded } from '../src/faults/fault-plan.ts';
import type { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { type ClientSurroundings, CrashClient } from '../src/workload/crash-client.ts';
import type { Owed } from '../src/workload/crash-knowledge.ts';

/** @param landed what has struck so far */
export function owedAfter(landed: readonly LandedFault[]): Owed {
  const tolerance = toleranceOfLanded(landed);
  if (tolerance === 'survive') return 'everything';
  if (tolerance === 'unbounded') return 'a prefix';
  const inLog = landed.find((fault) => fault.tolerance === 'detect' && fault.path.startsWith('wal-'));
  if (inLog === undefined) return 'everything or an error';
  // What went astray is missing where it belongs, and damages what is there: the last group, and the one before.
  return { lastGroups: inLog.name === 'misdirected write' ? 2 : 1 };
}

/** Who listens to a client and its store. */
export interface ClientHooks extends Omit<ClientSurroundings, 'owed'> {
  readonly observe?: Observer;
}

/** A client on a simulated disk, who asks of the store what the faults that struck it have left. */
export function clientOn(
  disk: SimulatedDisk,
  program: Program,
  { observe = () => undefined, ...hooks }: ClientHooks = {},
): CrashClient {
  return new CrashClient(disk, program, observe, {
    ...hooks,
    owed: () => owedAfter(disk.faults.landed),
  });
}
