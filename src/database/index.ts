/** What `import … from 'lightning-db'` gives. */
export { Database, type DatabaseStatistics, type PutOptions, type WriteOptions } from './database.ts';
export type { DatabaseOptions } from './options.ts';
export type { Row } from './rows.ts';
export type { Snapshot } from './snapshot.ts';
export type { DatabaseTransaction } from './transaction.ts';
export type { EngineOptions, RangeBounds, ScanOptions, WriteOperation } from '../engine/index.ts';
export type { Finding } from './verify/finding.ts';
export { verifyStore, type IntegrityReport } from './verify/verify-store.ts';
export { type ErrorClass, type ErrorCode, LightningError } from '../base/errors.ts';
