/** classic-level: LevelDB for Node. Writes go to the operating system; `sync: true` adds an fsync of the log. */
import { join } from 'node:path';
import type { Capabilities, EngineDriver, EngineSession } from '../contract/driver.ts';
import { PROGRAM_KEY_BYTES_MAX, PROGRAM_VALUE_BYTES_MAX } from '../contract/limits.ts';
import type { OpenOptions } from '../contract/operations.ts';
import { type LevelDatabase, LevelStore } from './level-store.ts';
import { loadEngine, versionOfPackage } from './load-engine.ts';
import { PlainSession } from './plain-session.ts';

const PACKAGE = 'classic-level';

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
  // There is no call that makes earlier writes durable without writing.
  sync: false,
  syncWrites: true,
  reopen: true,
  crash: false,
  flush: false,
  merge: true,
  collect: false,
  acknowledges: 'volatile',
  // It has one, but `clear` of a range that holds nothing else leaves it there (reports/findings/peers.md).
  emptyKey: false,
  keyBytesMax: PROGRAM_KEY_BYTES_MAX,
  valueBytesMax: PROGRAM_VALUE_BYTES_MAX,
};

interface ClassicOptions {
  readonly keyEncoding: 'view';
  readonly valueEncoding: 'view';
  readonly compression: boolean;
  readonly writeBufferSize?: number;
  readonly blockSize?: number;
  readonly cacheSize?: number;
}

type ClassicLevelClass = new (location: string, options: ClassicOptions) => LevelDatabase;

/** LevelDB's names for the knobs of a program; it raises the write buffer to 64 KiB by itself. */
function classicOptions(options: OpenOptions): ClassicOptions {
  const { memtableBytes, runBlockBytes, compression } = options;
  return {
    keyEncoding: 'view',
    valueEncoding: 'view',
    compression: compression !== 'none',
    ...(typeof memtableBytes === 'number' ? { writeBufferSize: memtableBytes } : {}),
    ...(typeof runBlockBytes === 'number' ? { blockSize: runBlockBytes } : {}),
  };
}

/** The driver; the package is loaded when a store is opened. */
export const classicLevelDriver: EngineDriver = {
  name: PACKAGE,
  get version(): string | undefined {
    return versionOfPackage(PACKAGE);
  },
  capabilities: CAPABILITIES,
  async open(directory: string, options: OpenOptions): Promise<EngineSession> {
    const { ClassicLevel } = (await loadEngine(PACKAGE)) as { ClassicLevel: ClassicLevelClass };
    return PlainSession.open(CAPABILITIES, async () => {
      const database = new ClassicLevel(join(directory, 'store'), classicOptions(options));
      await database.open();
      return new LevelStore(database);
    });
  },
};
