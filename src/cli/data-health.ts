/** `lightning-db stats`, `verify-integrity` and `compact`. None makes a store; the second opens it for reading only. */
import type { Command } from 'commander';
import { isLightningError } from '../base/errors.ts';
import type { DatabaseStatistics, Finding, IntegrityReport } from '../database/index.ts';
import { openLocation } from '../database/location.ts';
import { verifyStore } from '../database/verify/verify-store.ts';
import { LOCK_FILE } from '../engine/file-names.ts';
import { storeExists } from '../engine/recovery.ts';
import { WatchedVfs } from '../vfs/watched-vfs.ts';
import { EXIT } from '../report/verdict.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { showBytes } from './data-bytes.ts';
import { holdLock } from './data-lock.ts';
import { type DataFlags, DB_ABOUT, DB_FLAG, JSON_FLAG, onePath, runData, withDatabase } from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';
import { fromText } from '../base/bytes.ts';
import { LightningError } from '../base/errors.ts';

/** Name and value a line, values in one column. */
function statisticsLines(statistics: DatabaseStatistics): string[] {
  const entries = Object.entries(statistics);
  const width = Math.max(...entries.map(([name]) => name.length));
  return entries.map(([name, value]) => `${name.padEnd(width)}  ${String(value)}`);
}

async function stats(operand: string | undefined, flags: DataFlags): Promise<void> {
  await runData(async (output) => {
    const path = onePath(operand, flags);
    const statistics = await withDatabase(path, { createIfMissing: false }, async (database) => database.statistics());
    if (flags.json === true) await output.line(JSON.stringify(statistics));
    else for (const line of statisticsLines(statistics)) await output.line(line);
  });
}

async function compact(operand: string | undefined, flags: DataFlags): Promise<void> {
  await runData(async (output) => {
    const path = onePath(operand, flags);
    const statistics = await withDatabase(path, { createIfMissing: false }, async (database) => {
      await database.compact();
      return database.statistics();
    });
    const { blockSizeBytes, treeBlocks, treeBlocksFree, treeHeight } = statistics;
    const figures = { treeHeight, treeBytes: treeBlocks * blockSizeBytes, freeBytes: treeBlocksFree * blockSizeBytes };
    await output.line(
      flags.json === true
        ? JSON.stringify(figures)
        : `everything is in the tree: ${figures.treeHeight} levels, ${figures.treeBytes} bytes, ${figures.freeBytes} of them free`,
    );
  });
}

/**
 * The folder of a store to be looked at, which has at least remains of one.
 * @throws LightningError `LIGHTNING_NOT_FOUND`, `LIGHTNING_NOT_A_STORE`, environment errors
 */
export function openForReading(path: string): Vfs {
  const vfs = new WatchedVfs(openLocation(path, false), () => undefined);
  try {
    if (!storeExists(vfs)) throw new LightningError('LIGHTNING_NOT_FOUND', `there is no store at ${path}`, { path });
  } catch (error) {
    // Files of a store without its manifest are damage to report, not a reason to look away.
    if (!isLightningError(error, 'LIGHTNING_CORRUPTION')) throw error;
  }
  return vfs;
}

function examine(vfs: Vfs): IntegrityReport {
  const lock = holdLock(vfs);
  try {
    if (lock.doubt !== undefined) process.stderr.write(`lightning-db: ${lock.doubt}\n`);
    const report = verifyStore(vfs, { isOpen: false });
    if (lock.damage === undefined) return report;
    const finding: Finding = { severity: 'damage', file: LOCK_FILE, offset: undefined, problem: lock.damage };
    return { ...report, sound: false, clean: false, findings: [finding, ...report.findings] };
  } finally {
    lock.release();
  }
}

function findingLine({ severity, file, offset, problem }: Finding): string {
  return `${severity.padEnd(7)}  ${file}${offset === undefined ? '' : ` at ${offset}`}: ${showBytes(fromText(problem), false)}`;
}

function summary(report: IntegrityReport): string {
  const { findings, filesRead, sound, clean } = report;
  const files = `${filesRead} ${filesRead === 1 ? 'file' : 'files'} read`;
  if (clean) return `sound: ${files}, nothing wrong`;
  if (sound) return `sound: ${files}, no damage; the store was not closed cleanly`;
  const count = findings.filter(({ severity }) => severity === 'damage').length;
  return `DAMAGED: ${files}, ${count} ${count === 1 ? 'finding' : 'findings'} of damage`;
}

async function verifyIntegrity(operand: string | undefined, flags: DataFlags): Promise<void> {
  await runData(async (output) => {
    const report = examine(openForReading(onePath(operand, flags)));
    if (flags.json === true) await output.line(JSON.stringify(report));
    else for (const line of [...report.findings.map(findingLine), summary(report)]) await output.line(line);
    return report.sound ? EXIT.pass : EXIT.fail;
  });
}

/** Adds `stats`. */
export function addStats(program: Command): void {
  program
    .command('stats')
    .description('print the figures of a store')
    .argument('[dir]', DB_ABOUT)
    .option(DB_FLAG, DB_ABOUT)
    .option(JSON_FLAG, 'the figures as one object')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(stats);
}

/** Adds `verify-integrity`. */
export function addVerifyIntegrity(program: Command): void {
  program
    .command('verify-integrity')
    .description('read every byte of a closed store and say what is damaged; changes nothing')
    .argument('[dir]', DB_ABOUT)
    .option(DB_FLAG, DB_ABOUT)
    .option(JSON_FLAG, 'sound, clean, findings as one object')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(verifyIntegrity);
}

/** Adds `compact`. */
export function addCompact(program: Command): void {
  program
    .command('compact')
    .description('move everything into the tree and drop what nobody can read')
    .argument('[dir]', DB_ABOUT)
    .option(DB_FLAG, DB_ABOUT)
    .option(JSON_FLAG, 'what is left as one object')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(compact);
}
