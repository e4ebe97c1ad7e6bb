/** The engine's public face. */
export { Engine, type EngineEnvironment, type EngineStatistics, type PendingWork } from './engine.ts';
export type { EngineStep, Observer } from './observer.ts';
export type { Durability, EngineOptions } from './options.ts';
export { type KeyRange, type RangeBounds, type ScanOptions, toRange } from './range.ts';
export type { RecoveryReport } from './recovery.ts';
export type { Scan } from './scan.ts';
export type { SnapshotView } from './snapshots.ts';
export type { SyncTicket } from './log.ts';
export type { Transaction } from './transaction.ts';
export type { Compression, Sequence } from './types.ts';
export { checkOperation, type WriteOperation } from './write-operation.ts';
