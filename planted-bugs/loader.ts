/**
 * Plants known faults while sources are loaded, so that the engine itself holds no fault switch.
 *
 * `LIGHTNING_PLANTED_BUG=<name>[,<name>…] node --import planted-bugs/loader.ts <program>` applies the edits of the
 * named catalogue files. Workers and forked children inherit `execArgv`, therefore this file too, and with it the edits.
 *
 * 1. Every `find` matches its source exactly once, or nothing is run: exit 3, `LIGHTNING_STALE_PLANTED_BUG`.
 * 2. Files are edited as they are loaded, in the `.ts` form of a checkout and in the stripped `.js` form of the package
 *    alike: stripping keeps lines and columns, and only the suffix of imports differs.
 * 3. Each edited file is noted in the process and, with `LIGHTNING_EDIT_TALLY`, in a file: a hook that did not take hold
 *    leaves no note, and a control without one is refused.
 *
 * Nothing of `src/` is imported here: what the hook loads itself could not be edited any more.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { threadId } from 'node:worker_threads';
import { applyEdits, CATALOGUE_FOLDERS, type Edit, fileInForm, GUARDS_FOLDER } from './edits.ts';

/** The folder that holds `src/`. */
const root = fileURLToPath(new URL('../', import.meta.url));
const packed = import.meta.url.endsWith('.js');

function stale(text: string): never {
  process.stderr.write(`LIGHTNING_STALE_PLANTED_BUG: ${text}\n`);
  process.exit(3);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function readCatalogueFile(name: string): Record<string, unknown> {
  if (!/^[a-z0-9-]+$/.test(name)) stale(`no planted bug can be called ${JSON.stringify(name)}`);
  for (const folder of [...CATALOGUE_FOLDERS, GUARDS_FOLDER]) {
    const path = join(root, folder, `${name}.json`);
    if (!existsSync(path)) continue;
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isRecord(value)) return value;
  }
  return stale(`the catalogue has no ${name}`);
}

/** The edits of the named catalogue files by the path they edit. */
function collectEdits(names: readonly string[]): Map<string, Edit[]> {
  const byPath = new Map<string, Edit[]>();
  for (const name of names) {
    const list: unknown = readCatalogueFile(name)['edits'];
    if (!Array.isArray(list) || list.length === 0) stale(`${name} names no edit`);
    for (const edit of list as unknown[]) {
      if (!isRecord(edit)) stale(`${name} has an edit that is no object`);
      const { file, find, replace } = edit;
      if (typeof file !== 'string' || typeof find !== 'string' || typeof replace !== 'string') {
        stale(`${name} has an edit without file, find or replace`);
      }
      const path = join(root, fileInForm(file, packed));
      if (!existsSync(path)) stale(`${name} edits ${file}, which is not there`);
      byPath.set(path, [...(byPath.get(path) ?? []), { file, find, replace }]);
    }
  }
  return byPath;
}

function edited(source: string, edits: readonly Edit[]): string {
  const result = applyEdits(source, edits, packed);
  return 'text' in result ? result.text : stale(result.stale);
}

const notes: string[] = [];
Reflect.set(globalThis, Symbol.for('lightning-db.planted-edits'), notes);

function note(edits: readonly Edit[], text: string): void {
  const hash = createHash('sha256').update(text).digest('hex');
  const entry = { process: `${process.pid}.${threadId}`, file: edits[0].file, edits: edits.length, text: hash };
  const line = JSON.stringify(entry);
  notes.push(line);
  const tally = process.env['LIGHTNING_EDIT_TALLY'];
  if (tally !== undefined) appendFileSync(tally, `${line}\n`);
}

const names = (process.env['LIGHTNING_PLANTED_BUG'] ?? '').split(',').filter((name) => name !== '');
const editsByPath = collectEdits(names);
// All of them now, not only those of files that happen to be loaded: a stale one must not go unnoticed.
for (const [path, edits] of editsByPath) edited(readFileSync(path, 'utf8'), edits);
const editsByUrl = new Map([...editsByPath].map(([path, edits]) => [pathToFileURL(path).href, edits]));

if (editsByUrl.size > 0) {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const edits = editsByUrl.get(url);
      if (edits === undefined || loaded.source === null || loaded.source === undefined) return loaded;
      const { source } = loaded;
      const text = edited(typeof source === 'string' ? source : new TextDecoder().decode(source), edits);
      note(edits, text);
      return { ...loaded, source: text };
    },
  });
}
