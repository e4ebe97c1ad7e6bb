/** `lightning-db dump`: what is in the files of a closed store, or where damage begins. Opens nothing for writing. */
import { basename, dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { dumperByContent, dumperByName, manifestIn } from '../database/dump/dump-file.ts';
import { DAMAGE, damageItem, type Dump } from '../database/dump/item.ts';
import { LightningError } from '../base/errors.ts';
import { openLocation } from '../database/location.ts';
import { LOCK_FILE, MANIFEST_FILE, runFileName, TREE_FILE, walFileName } from '../engine/file-names.ts';
import { type ManifestState } from '../engine/manifest-format.ts';
import { WatchedVfs } from '../vfs/watched-vfs.ts';
import { EXIT } from '../report/verdict.ts';
import { NodeVfs } from '../vfs/node-vfs.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { itemJson, itemLine } from './data-dump-item.ts';
import { openForReading } from './data-health.ts';
import { holdLock } from './data-lock.ts';
import type { Output } from './data-output.ts';
import { type DataFlags, DB_ABOUT, DB_FLAG, HEX_ABOUT, HEX_FLAG, JSON_FLAG, onePath, runData } from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';

/** What the manifest names, in the order of the levels. */
function namedFiles(manifest: ManifestState | undefined): string[] {
  if (manifest === undefined) return [];
  const { segments, runs, tree } = manifest;
  return [
    ...segments.map(({ fileNumber }) => walFileName(fileNumber)),
    ...runs.map(({ fileNumber }) => runFileName(fileNumber)),
    ...(tree.blockCount === 0 ? [] : [TREE_FILE]),
  ];
}

function* dumpStore(vfs: Vfs): Dump {
  const manifest = manifestIn(vfs);
  const named = namedFiles(manifest);
  const present = vfs.list('').filter((name) => name !== LOCK_FILE);
  const rest = present.filter((name) => name !== MANIFEST_FILE && !named.includes(name));
  for (const name of [MANIFEST_FILE, ...named, ...rest]) {
    const dumper = dumperByName(name);
    if (!present.includes(name)) yield damageItem(name, undefined, 'missing');
    else if (dumper === undefined) yield { file: name, offset: undefined, what: 'no file of a store', fields: {} };
    else {
      if (rest.includes(name)) {
        yield { file: name, offset: undefined, what: 'not named by the manifest', fields: {} };
      }
      yield* dumper({ vfs, name, path: name, manifest });
    }
  }
}

/** One file; a store around it is used to understand it. */
function* dumpFile(folder: Vfs, path: string): Dump {
  const name = basename(path);
  if (name === LOCK_FILE) throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${LOCK_FILE} holds nothing to show`);
  // Rooted at the file itself, because a name from outside may hold what a path of a store may not.
  const vfs = new WatchedVfs(new NodeVfs(path), () => undefined);
  const named = dumperByName(name);
  const dumper = named ?? dumperByContent(vfs, '');
  if (dumper === undefined) {
    throw new LightningError('LIGHTNING_NOT_A_STORE', `${path} is no file of a store`, { path });
  }
  if (named === undefined) yield* dumper({ vfs, name, path: '', manifest: undefined });
  else yield* dumper({ vfs: folder, name, path: name, manifest: manifestIn(folder) });
}

/** @throws LightningError `LIGHTNING_NOT_FOUND`, environment errors */
function isFile(path: string): boolean {
  return new WatchedVfs(new NodeVfs(resolve(path)), () => undefined).kind('') === 'file';
}

async function print(dump: Dump, output: Output, flags: DataFlags): Promise<boolean> {
  const hex = flags.hex === true;
  let damaged = false;
  let file: string | undefined;
  for (const item of dump) {
    if (output.isClosed) break;
    damaged ||= item.what === DAMAGE;
    if (flags.json === true) await output.line(itemJson(item, hex));
    else {
      if (item.file !== file) await output.line(item.file);
      await output.line(itemLine(item, hex));
    }
    file = item.file;
  }
  return damaged;
}

async function dump(operand: string | undefined, flags: DataFlags): Promise<void> {
  await runData(async (output) => {
    const path = resolve(onePath(operand, flags));
    const single = isFile(path);
    const vfs = single ? new WatchedVfs(openLocation(dirname(path), false), () => undefined) : openForReading(path);
    const lock = holdLock(vfs);
    try {
      for (const note of [lock.doubt, lock.damage]) {
        if (note !== undefined) process.stderr.write(`lightning-db: ${note}\n`);
      }
      const damaged = await print(single ? dumpFile(vfs, path) : dumpStore(vfs), output, flags);
      return damaged ? EXIT.fail : EXIT.pass;
    } finally {
      lock.release();
    }
  });
}

/** Adds `dump`. */
export function addDump(program: Command): void {
  program
    .command('dump')
    .description('print what is in the files of a closed store, or where damage begins')
    .argument('[path]', 'a store, or one of its files')
    .option(DB_FLAG, DB_ABOUT)
    .option(HEX_FLAG, HEX_ABOUT)
    .option(JSON_FLAG, 'an object an item')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(dump);
}
