/** memory-level: the ordered map in memory of the Level family. Nothing survives a close. */
import type { Capabilities, EngineDriver, EngineSession } from '../contract/driver.ts';
import { PROGRAM_KEY_BYTES_MAX, PROGRAM_VALUE_BYTES_MAX } from '../contract/limits.ts';
import { type LevelDatabase, LevelStore } from './level-store.ts';
import { loadEngine, versionOfPackage } from './load-engine.ts';
import { PlainSession } from './plain-session.ts';

const PACKAGE = 'memory-level';

const CAPABILITIES: Capabilities = {
  orderedScan: true,
  reverseScan: true,
  batch: true,
  deleteRange: true,
  batchDeleteRange: false,
  snapshots: true,
  transactions: [],
  transactionSnapshotAt: 'begin',
  deadlines: false,
  sync: false,
  syncWrites: false,
  reopen: false,
  crash: false,
  flush: false,
  merge: false,
  collect: false,
  acknowledges: 'volatile',
  emptyKey: true,
  keyBytesMax: PROGRAM_KEY_BYTES_MAX,
  valueBytesMax: PROGRAM_VALUE_BYTES_MAX,
};

type MemoryLevelClass = new (options: {
  keyEncoding: 'view';
  valueEncoding: 'view';
  storeEncoding: 'view';
}) => LevelDatabase;

/** The driver; the package is loaded when a store is opened. */
export const memoryLevelDriver: EngineDriver = {
  name: PACKAGE,
  get version(): string | undefined {
    return versionOfPackage(PACKAGE);
  },
  capabilities: CAPABILITIES,
  async open(): Promise<EngineSession> {
    const { MemoryLevel } = (await loadEngine(PACKAGE)) as { MemoryLevel: MemoryLevelClass };
    return PlainSession.open(CAPABILITIES, async () => {
      const database = new MemoryLevel({ keyEncoding: 'view', valueEncoding: 'view', storeEncoding: 'view' });
      await database.open();
      return new LevelStore(database);
    });
  },
};
