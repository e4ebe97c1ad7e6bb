/** Holds a store open and writes into it whenever it is told to, until it is killed. */
import { Database } from '../src/database/index.ts';
import { receiveRequest, tell } from './child.ts';

/** What this process is asked to do. */
export interface LockRequest {
  readonly directory: string;
}

/** What it says: the store is open, or so many puts are acknowledged. */
export type LockMessage = { readonly kind: 'holding' } | { readonly kind: 'wrote'; readonly count: number };

const request = await receiveRequest<LockRequest>();
const database = Database.openSync(request.directory);
let count = 0;
process.on('message', () => {
  database.putSync(new Uint8Array([count]), new Uint8Array([count]));
  count++;
  tell({ kind: 'wrote', count } satisfies LockMessage);
});
tell({ kind: 'holding' } satisfies LockMessage);
