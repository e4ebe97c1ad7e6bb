/** What `import … from 'lightning-db'` gives. */
export { Database, type DatabaseStatistics, type PutOptions } from './database.ts';
export type { WriteOptions } from './writer.ts';
export type { IndexDeclaration } from './index-writes.ts';
export type { IndexRow } from './indexes.ts';
export type { IndexView } from './index-view.ts';
export type { DatabaseOptions } from './options.ts';
export type { Row } from './rows.ts';
export type { Snapshot } from './snapshot.ts';
export type { CommitOptions, DatabaseTransaction, Isolation } from './transaction.ts';
export type { BeginOptions, TransactionOptions } from './transactions.ts';
export type { EngineOptions, RangeBounds, ScanOptions, WriteOperation } from '../engine/index.ts';
export type { Finding } from './verify/finding.ts';
export { verifyStore, type IntegrityReport } from './verify/verify-store.ts';
export { type ErrorClass, type ErrorCode, LightningError } from '../base/errors.ts';
