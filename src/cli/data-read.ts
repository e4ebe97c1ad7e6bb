/** `lightning-db get` and `scan`. Neither makes a store. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { errnoOf, LightningError } from '../base/errors.ts';
import type { ValueStream } from '../database/index.ts';
import { type ScanOptions, toRange } from '../engine/index.ts';
import { checkKey } from '../engine/write-operation.ts';
import { EXIT } from '../report/verdict.ts';
import { NodeVfs } from '../vfs/node-vfs.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { parseNatural } from './command.ts';
import { bytesField, parseBytes, showBytes } from './data-bytes.ts';
import type { Output } from './data-output.ts';
import {
  type DataFlags,
  DB_ABOUT,
  DB_FLAG,
  HEX_ABOUT,
  HEX_FLAG,
  JSON_FLAG,
  onePath,
  runData,
  watchInterrupt,
  withDatabase,
} from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';

const BOUNDS = ['gte', 'gt', 'lte', 'lt', 'prefix'] as const;

interface ScanFlags extends DataFlags, Readonly<Partial<Record<(typeof BOUNDS)[number], string>>> {
  readonly reverse?: boolean;
  readonly limit?: number;
}

const EXISTING = { createIfMissing: false } as const;

interface GetFlags extends DataFlags {
  readonly out?: string;
}

/** Writes a value to a new file, piece by piece. */
async function writeOut(value: ValueStream, path: string): Promise<void> {
  let file: VfsFile;
  try {
    file = new NodeVfs(resolve(path)).open('', 'create');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined || error instanceof LightningError) throw error;
    const code = errno === 'EEXIST' ? 'LIGHTNING_EXISTS' : 'LIGHTNING_INVALID_ARGUMENT';
    throw new LightningError(code, `the file ${path} cannot be made: ${errno}`, { path, errno }, error);
  }
  try {
    let at = 0;
    for await (const piece of value) {
      file.write(piece, 0, piece.length, at);
      at += piece.length;
    }
  } finally {
    file.close();
  }
}

async function get(keyText: string, flags: GetFlags): Promise<void> {
  await runData(async (output) => {
    const hex = flags.hex === true;
    const path = onePath(undefined, flags);
    const key = parseBytes(keyText, hex, 'the key');
    checkKey(key);
    const { out } = flags;
    const found = await withDatabase(path, EXISTING, async (database) => {
      if (out === undefined) return database.get(key);
      await using stream = await database.getStream(key);
      if (stream !== undefined) await writeOut(stream, out);
      return stream;
    });
    const value = found instanceof Uint8Array ? found : undefined;
    if (found !== undefined && value === undefined) return EXIT.pass;
    if (value === undefined) {
      process.stderr.write(`lightning-db: no value under the key ${showBytes(key, hex)}\n`);
      return EXIT.fail;
    }
    if (flags.json === true) {
      await output.line(JSON.stringify({ ...bytesField('key', key, hex), ...bytesField('value', value, hex) }));
    } else if (hex) {
      await output.line(showBytes(value, true));
    } else {
      await output.write(value);
      await output.line('');
    }
    return EXIT.pass;
  });
}

function scanOptionsOf(flags: ScanFlags): ScanOptions {
  const bounds = BOUNDS.flatMap((name) => {
    const text = flags[name];
    return text === undefined ? [] : [[name, parseBytes(text, flags.hex === true, `--${name}`)] as const];
  });
  const { reverse, limit } = flags;
  return {
    ...Object.fromEntries(bounds),
    ...(reverse === undefined ? {} : { reverse }),
    ...(limit === undefined ? {} : { limit }),
  };
}

async function printRow(
  output: Output,
  [key, value]: readonly [Uint8Array, Uint8Array],
  flags: DataFlags,
): Promise<void> {
  const hex = flags.hex === true;
  await output.line(
    flags.json === true
      ? JSON.stringify({ ...bytesField('key', key, hex), ...bytesField('value', value, hex) })
      : `${showBytes(key, hex)}\t${showBytes(value, hex)}`,
  );
}

async function scan(flags: ScanFlags): Promise<void> {
  await runData(async (output) => {
    const path = onePath(undefined, flags);
    const options = scanOptionsOf(flags);
    toRange(options);
    const signals = watchInterrupt();
    try {
      await withDatabase(path, EXISTING, async (database) => {
        for await (const row of database.scan(options)) {
          if (output.isClosed || signals.interrupted) break;
          await printRow(output, row, flags);
        }
      });
    } finally {
      signals.stop();
    }
    return signals.interrupted ? EXIT.interrupted : EXIT.pass;
  });
}

/** Adds `get`. */
export function addGet(program: Command): void {
  program
    .command('get')
    .description('print the value of a key')
    .argument('<key>')
    .requiredOption(DB_FLAG, DB_ABOUT)
    .option('--out <file>', 'write the value into a new file instead, piece by piece')
    .option(HEX_FLAG, HEX_ABOUT)
    .option(JSON_FLAG, 'an object with key and value; bytes that are not UTF-8 as keyHex, valueHex')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(get);
}

/** Adds `scan`. */
export function addScan(program: Command): void {
  const command = program
    .command('scan')
    .description('print keys and values in key order, one row a line')
    .requiredOption(DB_FLAG, DB_ABOUT)
    .option('--gte <key>', 'from this key on')
    .option('--gt <key>', 'behind this key')
    .option('--lte <key>', 'up to this key')
    .option('--lt <key>', 'before this key')
    .option('--prefix <key>', 'keys that begin so; all bounds apply together')
    .option('--reverse', 'in descending order')
    .option('--limit <n>', 'rows at most', parseNatural)
    .option(HEX_FLAG, HEX_ABOUT)
    .option(JSON_FLAG, 'an object a row; bytes that are not UTF-8 as keyHex, valueHex');
  command.addHelpText(
    'after',
    `\nA row is key, tab, value; control characters and a backslash are escaped.\n${DATA_EXIT_CODES}`,
  );
  command.action(scan);
}
