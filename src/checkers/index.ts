/** `lightning-db/checkers`: history in, verdict out, for any engine. */
export { type Bank, checkBank } from './workloads/bank.ts';
export { checkBatchAtomicity } from './workloads/batch-atomicity.ts';
export { checkDurability, type DurabilityOptions } from './durability.ts';
export { checkLinearizability, checkRegisters } from './linearizability.ts';
export { searchLinearization } from './models/model-search.ts';
export { type SearchBudget } from './order-search.ts';
export { checkIsolation, checkIsolationLevel, type IsolationReport } from './explain/report.ts';
export { type IsolationBudget, type LevelAnswer } from './isolation/levels.ts';
export type { Anomaly, AnomalyName, Dependency } from './explain/anomaly.ts';
export { drawCycle } from './explain/draw.ts';
export { type RecordedTransaction, type ToldOrders, type TransactionalHistory } from '../history/transactions.ts';
export { type CheckedLevel, ISOLATION_LEVELS } from './isolation/levels.ts';
export { atomicMap, type MapState, type SequentialModel } from './models/sequential-models.ts';
export { type AnomalyClass, type HistoryVerdict } from './verdict.ts';
export {
  type Access,
  type Cell,
  type Durability,
  type History,
  type HistoryKind,
  type HistoryMarker,
  type HistoryOperation,
  type HistoryOutcome,
} from '../history/history.ts';
export { ACCESS, ColumnsBuilder, type HistoryColumns } from '../history/columns.ts';
export { columnsOf, operationAt } from '../history/columns-of.ts';
export { decodeColumns, encodeColumns, isBinaryHistory } from '../history/binary.ts';
export { formatEvents, parseEvents, parseHistory } from '../history/ndjson.ts';
export { formatElle, parseJepsen } from '../history/jepsen.ts';
export { HistoryRecorder } from '../history/recorder.ts';
