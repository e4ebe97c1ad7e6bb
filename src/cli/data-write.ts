/** `lightning-db put` and `delete`. Everything is checked before the store is opened: a refused call makes no store. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { errnoOf, LightningError } from '../base/errors.ts';
import { checkOperation, type WriteOperation } from '../engine/index.ts';
import { BLOB_BYTES_MAX } from '../database/blobs/blob-format.ts';
import { NodeVfs } from '../vfs/node-vfs.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { parseBytes } from './data-bytes.ts';
import {
  type DataFlags,
  DB_ABOUT,
  DB_FLAG,
  durabilityOption,
  HEX_ABOUT,
  HEX_FLAG,
  JSON_FLAG,
  onePath,
  runData,
  withDatabase,
} from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';

const PIECE_BYTES = 1024 * 1024;

interface PutFlags extends DataFlags {
  readonly valueFile?: string;
}

function tooLarge(name: string, sizeBytes: number): LightningError {
  const text = `${name} holds ${sizeBytes} bytes or more, a value at most ${BLOB_BYTES_MAX}`;
  return new LightningError('LIGHTNING_VALUE_TOO_LARGE', text, { sizeBytes, limit: BLOB_BYTES_MAX });
}

async function readStandardInput(): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of process.stdin) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : (piece as Uint8Array);
    pieces.push(bytes);
    sizeBytes += bytes.length;
    if (sizeBytes > BLOB_BYTES_MAX) throw tooLarge('standard input', sizeBytes);
  }
  return Buffer.concat(pieces);
}

/** A regular file and nothing else: a device would never end. */
function openValueFile(path: string): VfsFile {
  try {
    return new NodeVfs(resolve(path)).open('', 'read');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined || error instanceof LightningError) throw error;
    const text = `the value file ${path} cannot be read: ${errno}`;
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', text, { path, errno }, error);
  }
}

function* piecesOf(file: VfsFile, sizeBytes: number): Generator<Uint8Array, undefined> {
  for (let at = 0; at < sizeBytes; at += PIECE_BYTES) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, sizeBytes - at));
    yield piece.subarray(0, file.read(piece, 0, piece.length, at));
  }
  return undefined;
}

async function valueOf(argument: string | undefined, flags: PutFlags): Promise<Uint8Array> {
  const { valueFile } = flags;
  if ((argument === undefined) === (valueFile === undefined)) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'give the value once, as an argument or as --value-file');
  }
  return argument === undefined ? readStandardInput() : parseBytes(argument, flags.hex === true, 'the value');
}

/** The value of a file goes into the store piece by piece. */
async function putFile(keyText: string, valueFile: string, flags: PutFlags): Promise<void> {
  const { durability = 'commit' } = flags;
  await runData(async (output) => {
    const path = onePath(undefined, flags);
    const key = parseBytes(keyText, flags.hex === true, 'the key');
    checkOperation({ type: 'delete', key });
    const file = openValueFile(valueFile);
    try {
      const length = file.size();
      if (length > BLOB_BYTES_MAX) throw tooLarge(valueFile, length);
      const options = { durability, createIfMissing: true };
      const durableSequence = await withDatabase(path, options, async (database) => {
        await database.putStream(key, piecesOf(file, length), { length });
        return database.durableSequence;
      });
      if (flags.json === true) await output.line(JSON.stringify({ durability, durableSequence }));
    } finally {
      file.close();
    }
  });
}

async function write(
  flags: DataFlags,
  createIfMissing: boolean,
  makeOperation: () => Promise<Exclude<WriteOperation, { type: 'clear' }>>,
): Promise<void> {
  const { durability = 'commit' } = flags;
  await runData(async (output) => {
    const path = onePath(undefined, flags);
    const operation = await makeOperation();
    const { key } = operation;
    checkOperation({ type: 'delete', key });
    const durableSequence = await withDatabase(path, { durability, createIfMissing }, async (database) => {
      await database.batch([operation]);
      return database.durableSequence;
    });
    if (flags.json === true) await output.line(JSON.stringify({ durability, durableSequence }));
  });
}

/** Adds `put`. */
export function addPut(program: Command): void {
  program
    .command('put')
    .description('store a value under a key; makes the store if there is none')
    .argument('<key>')
    .argument('[value]')
    .requiredOption(DB_FLAG, DB_ABOUT)
    .option('--value-file <file>', 'the bytes of a file as the value; - is standard input')
    .option(HEX_FLAG, HEX_ABOUT)
    .addOption(durabilityOption())
    .option(JSON_FLAG, 'durability and the last durable commit as JSON (otherwise nothing is printed)')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(async (keyText: string, value: string | undefined, flags: PutFlags) => {
      const { valueFile } = flags;
      if (valueFile !== undefined && valueFile !== '-' && value === undefined)
        return putFile(keyText, valueFile, flags);
      return write(flags, true, async () => ({
        type: 'put',
        key: parseBytes(keyText, flags.hex === true, 'the key'),
        value: await valueOf(value, flags),
      }));
    });
}

/** Adds `delete`. */
export function addDelete(program: Command): void {
  program
    .command('delete')
    .description('delete a key; one that is not there is no error')
    .argument('<key>')
    .requiredOption(DB_FLAG, DB_ABOUT)
    .option(HEX_FLAG, HEX_ABOUT)
    .addOption(durabilityOption())
    .option(JSON_FLAG, 'durability and the last durable commit as JSON (otherwise nothing is printed)')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(async (key: string, flags: DataFlags) =>
      write(flags, false, async () => ({ type: 'delete', key: parseBytes(key, flags.hex === true, 'the key') })),
    );
}
