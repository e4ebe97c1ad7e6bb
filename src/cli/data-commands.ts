/** The group of data commands, in the order of the help. */
import type { AddCommand } from './command.ts';
import { addBench } from './data-bench.ts';
import { addCreate } from './data-create.ts';
import { addBackupCommands } from './data-backup.ts';
import { addDump } from './data-dump.ts';
import { addCompact, addStats, addVerifyIntegrity } from './data-health.ts';
import { addGet, addScan } from './data-read.ts';
import { addSalvage } from './data-salvage.ts';
import { addDelete, addPut } from './data-write.ts';

/** Every data command. */
export const DATA_COMMANDS: readonly AddCommand[] = [
  addCreate,
  addPut,
  addGet,
  addDelete,
  addScan,
  addStats,
  addVerifyIntegrity,
  addCompact,
  addDump,
  addBench,
  addBackupCommands,
  addSalvage,
];
