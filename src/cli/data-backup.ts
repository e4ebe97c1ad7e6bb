/** `lightning-db backup`, `restore`, `verify-backup` and `scrub`. */
import type { Command } from 'commander';
import { resolve } from 'node:path';
import { ERROR_CODES, type ErrorCode, LightningError } from '../base/errors.ts';
import type { BackupReport } from '../database/backup/backup.ts';
import type { ScrubReport } from '../database/scrub.ts';
import { EXIT } from '../report/verdict.ts';
import type { Output } from './data-output.ts';
import { ADMIN_ABOUT, ADMIN_FLAG, type AdminFlags, ask, fieldOf } from './health.ts';
import { type Database, restore, verifyBackupFolder } from '../database/index.ts';
import { ReadOnlyDatabase } from '../database/read-only/read-only-database.ts';
import { DB_ABOUT, DB_FLAG, JSON_FLAG, onePath, runData, withDatabase } from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';

interface BackupFlags extends AdminFlags {
  readonly to?: string;
  readonly from?: string;
  readonly incremental?: boolean;
  readonly backup?: string;
  readonly archive?: string;
  readonly toCommit?: string;
}

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
function natural(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${name} takes a natural number`, { text });
}

/** @throws LightningError `LIGHTNING_INVALID_ARGUMENT` */
function needed(name: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${name} is needed`);
}

async function backup(operand: string | undefined, flags: BackupFlags): Promise<void> {
  await runData(async (output) => {
    const folder = needed('--to', flags.to);
    const incremental = flags.incremental === true;
    const report =
      flags.admin === undefined
        ? await withDatabase(onePath(operand, flags), { createIfMissing: false }, async (database: Database) =>
            database.backup(folder, { incremental }),
          )
        : await askFor<BackupReport>(operand, flags, '/backup', { to: resolve(folder), incremental }, 'number');
    const kind = report.parent === 0 ? 'full' : `on top of ${report.parent}`;
    const text = `backup ${report.number} (${kind}): up to commit ${report.sequence}, ${report.rows} rows, ${report.dataBytes} new bytes, read back and recovered`;
    await output.line(flags.json === true ? JSON.stringify(report) : text);
  });
}

async function restoreCommand(operand: string | undefined, flags: BackupFlags): Promise<void> {
  await runData(async (output) => {
    const target = onePath(operand, flags);
    const from = needed('--from', flags.from);
    const number = natural('--backup', needed('--backup', flags.backup));
    const report = await restore(from, target, {
      backup: number,
      ...(flags.archive === undefined ? {} : { archive: flags.archive }),
      ...(flags.toCommit === undefined ? {} : { toCommit: natural('--to-commit', flags.toCommit) }),
    });
    const text = `backup ${report.backup} restored: up to commit ${report.sequence}, ${report.commitsReplayed} of them from the archive`;
    await output.line(flags.json === true ? JSON.stringify(report) : text);
  });
}

async function verifyBackup(folder: string, flags: BackupFlags): Promise<void> {
  await runData(async (output) => {
    const number = natural('--backup', needed('--backup', flags.backup));
    const { sequence, parent, time } = await verifyBackupFolder(folder, number);
    const text = `backup ${number} is sound: up to commit ${sequence}, begun ${new Date(time).toISOString()}`;
    await output.line(flags.json === true ? JSON.stringify({ number, parent, sequence, time }) : text);
  });
}

/** Asks the server that `--admin` names. @throws LightningError what the server says, with its code */
async function askFor<T>(
  operand: string | undefined,
  flags: AdminFlags,
  path: string,
  body: object,
  field: string,
): Promise<T> {
  if (operand !== undefined || flags.db !== undefined)
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'name a store or an --admin address, not both');
  const answer = await ask(flags.admin ?? '', flags, 'POST', path, body);
  if (fieldOf(answer, field) !== undefined) return answer as T;
  const code = ERROR_NAMES.find((name) => name === fieldOf(answer, 'code')) ?? 'LIGHTNING_IO';
  throw new LightningError(code, `the server: ${String(fieldOf(answer, 'message'))}`);
}

const ERROR_NAMES = Object.keys(ERROR_CODES) as ErrorCode[];

async function scrubServed(operand: string | undefined, flags: AdminFlags, output: Output): Promise<number> {
  const report = await askFor<ScrubReport>(operand, flags, '/scrub', {}, 'findings');
  const { findings, bytesRead, filesRead } = report;
  const text = `${bytesRead} bytes of ${filesRead} files read while the store was served, ${findings.length} findings of damage`;
  await output.line(flags.json === true ? JSON.stringify(report) : text);
  return findings.length === 0 ? EXIT.pass : EXIT.fail;
}

async function scrub(operand: string | undefined, flags: AdminFlags): Promise<void> {
  await runData(async (output) => {
    if (flags.admin !== undefined) return scrubServed(operand, flags, output);
    await using database = await ReadOnlyDatabase.open(onePath(operand, flags), { cacheBytes: 0 });
    let rows = 0;
    for await (const row of database.scan()) rows += row.length > 0 ? 1 : 0;
    const { sequence } = database;
    const text = `${rows} rows read from disk up to commit ${sequence}, every checksum on the way right`;
    await output.line(flags.json === true ? JSON.stringify({ rows, sequence }) : text);
    return EXIT.pass;
  });
}

/** Adds the four commands. */
export function addBackupCommands(program: Command): void {
  const add = (name: string, description: string, json: string): Command =>
    program
      .command(name)
      .description(description)
      .argument('[dir]', DB_ABOUT)
      .option(DB_FLAG, DB_ABOUT)
      .option(JSON_FLAG, json)
      .addHelpText('after', DATA_EXIT_CODES);
  add('backup', 'make a backup of a store, and verify it', 'what was made as one object')
    .option('--to <dir>', 'the folder of backups, made if it is missing')
    .option(ADMIN_FLAG, `a server that makes it while it serves: ${ADMIN_ABOUT}`)
    .option('--incremental', 'only what the newest backup there does not have')
    .action(backup);
  add('restore', 'restore a backup into an empty or missing folder', 'what was restored as one object')
    .option('--from <dir>', 'the folder of backups')
    .option('--backup <number>', 'which one')
    .option('--archive <dir>', 'archived log segments, to go on from the backup')
    .option('--to-commit <number>', 'the last commit to be restored from the archive')
    .action(restoreCommand);
  program
    .command('verify-backup')
    .description('read a backup whole and recover the store in it; changes nothing')
    .argument('<dir>', 'the folder of backups')
    .option('--backup <number>', 'which one')
    .option(JSON_FLAG, 'what it is as one object')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(verifyBackup);
  add('scrub', 'read a store from disk, closed or while it is served; changes nothing', 'what was read as one object')
    .option(ADMIN_FLAG, `a server that reads its store while it serves: ${ADMIN_ABOUT}`)
    .action(scrub);
}
