/**
 * The process that is killed under load: opens the store, lets its clients write, and reports each acknowledgement only
 * after the store has given it.
 */
import { Database } from '../src/database/index.ts';
import { receiveRequest, tell, tellAndEnd } from './child.ts';
import { batchesOf, type Load, operationsOf } from './load-plan.ts';
import { type FaultyStore, type Store, wrap } from './faulty-store.ts';

/** What this process is asked to do. */
export interface LoadRequest {
  readonly directory: string;
  readonly load: Load;
  readonly attempt: number;
  /** For each client the batch to begin with. */
  readonly next: readonly number[];
  /** A live negative control: a store that cheats in this way. */
  readonly fault?: FaultyStore;
}

/** What it says. `work`: what waited in the engine at that moment. */
export type LoadMessage =
  | { readonly kind: 'opening' }
  | { readonly kind: 'opened' }
  | { readonly kind: 'acknowledged'; readonly client: number; readonly number: number; readonly work: string }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'closed' };

const request = await receiveRequest<LoadRequest>();
const { load } = request;

function waitingWork(database: Database): string {
  const { frozenCount, runCount } = database.statistics();
  if (frozenCount > 0) return 'a flush';
  return runCount >= 2 ? 'a merge' : 'appends only';
}

async function runClient(database: Database, store: Store, client: number): Promise<void> {
  const batches = batchesOf(load, client);
  for (let number = request.next[client]; number < batches.length; number++) {
    await store.batch(operationsOf(load, client, number, batches[number], request.attempt));
    tell({ kind: 'acknowledged', client, number, work: waitingWork(database) } satisfies LoadMessage);
  }
}

try {
  tell({ kind: 'opening' } satisfies LoadMessage);
  const database = Database.openSync(request.directory, {
    durability: load.durability,
    memtableBytes: load.memtableBytes,
    runCountMax: 2,
    syncIntervalMilliseconds: 10,
  });
  tell({ kind: 'opened' } satisfies LoadMessage);
  const store = wrap(database, request.fault);
  await Promise.all(request.next.map((_, client) => runClient(database, store, client)));
  await database.close();
  tellAndEnd({ kind: 'closed' } satisfies LoadMessage);
} catch (error) {
  tellAndEnd({ kind: 'failed', error: String(error) } satisfies LoadMessage);
}
