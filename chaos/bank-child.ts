/** The process that is killed under the bank: a store behind the protocol on a loopback port, for many clients. */
import { monotonicMilliseconds } from '../src/base/clock.ts';
import { Database, type DatabaseTransaction } from '../src/database/index.ts';
import { serveSocket } from '../src/database/protocol/serve.ts';
import { packageVersion } from '../src/report/sources-hash.ts';
import { receiveRequest, tell, tellAndEnd } from './child.ts';

/** What this process is asked to do. */
export interface BankRequest {
  readonly directory: string;
  /** A live negative control: after some honest commits, others are acknowledged and never made. */
  readonly acknowledgesEarly?: boolean;
}

/** What it says. */
export type BankMessage =
  { readonly kind: 'listening'; readonly port: number } | { readonly kind: 'failed'; readonly error: string };

const HONEST_COMMITS = 4;
let commits = 0;

function cheating(transaction: DatabaseTransaction): DatabaseTransaction {
  const commit = transaction.commit.bind(transaction);
  transaction.commit = async (options) => (++commits > HONEST_COMMITS ? transaction.abort() : commit(options));
  return transaction;
}

const request = await receiveRequest<BankRequest>();
try {
  const database = Database.openSync(request.directory, { memtableBytes: 64 * 1024, runCountMax: 2 });
  const begin = database.begin.bind(database);
  if (request.acknowledgesEarly === true) database.begin = (options) => cheating(begin(options));
  const served = {
    database,
    acknowledges: 'synced',
    version: packageVersion(),
    elapsed: monotonicMilliseconds,
  } as const;
  const { port } = await serveSocket(served, '127.0.0.1', 0);
  tell({ kind: 'listening', port } satisfies BankMessage);
} catch (error) {
  tellAndEnd({ kind: 'failed', error: String(error) } satisfies BankMessage);
}
