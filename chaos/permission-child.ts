/**
 * A user without permission: opening is refused with the code, nothing is created, nothing replaced, no descriptor left,
 * and once the permission is back the store is as it was. Root ignores permissions, so this process becomes somebody else
 * once its sources are loaded.
 */
import { errnoOf, isLightningError, LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { Database } from '../src/database/index.ts';
import { receiveRequest, tellAndEnd } from './child.ts';
import { Ledger } from './disk-ledger.ts';
import type { Contents } from './load-judge.ts';
import { descriptorCount, fingerprint, makeFolder, remountTmpfs, runCommand, setMode } from './real-files.ts';

/** What this process is asked to do. */
export interface PermissionRequest {
  /** `user`: permissions of files and folders. `mount`: a file system that becomes read-only, in a namespace of its own. */
  readonly kind: 'user' | 'mount';
  readonly directory: string;
  /** Whom to become; left out: stay. */
  readonly user?: number;
}

/** What went wrong in one case. */
export interface PermissionObjection {
  readonly class: string;
  readonly message: string;
}

/** How it went. */
export interface PermissionReport {
  readonly cases: number;
  readonly objection?: PermissionObjection;
  readonly error?: string;
}

const request = await receiveRequest<PermissionRequest>();
const OPTIONS = { memtableBytes: 4096, runCountMax: 2 } as const;
let cases = 0;

/** A store with a tree, a run and a log. */
async function makeStore(path: string): Promise<void> {
  const database = Database.openSync(path, OPTIONS);
  for (let i = 0; i < 40; i++) await database.put(new Uint8Array([1, i]), new Uint8Array(50).fill(i));
  await database.compact();
  for (let i = 0; i < 40; i++) await database.put(new Uint8Array([2, i]), new Uint8Array(50).fill(i));
  await database.flush();
  await database.put(new Uint8Array([3]), new Uint8Array([3]));
  await database.close();
}

function expectContents(path: string): void {
  const database = Database.openSync(path, OPTIONS);
  const rows = [...database.scanSync()].length;
  database.closeSync();
  if (rows !== 81) throw new LightningError('LIGHTNING_HARNESS', 'the store is not as it was', { rows });
}

function openingEnds(path: string): string {
  try {
    Database.openSync(path, OPTIONS).closeSync();
    return 'success';
  } catch (error) {
    return isLightningError(error) ? error.code : `an uncoded error: ${String(error)}`;
  }
}

/** Takes a permission of `target` away, opens, gives it back, looks at all of `watched`. */
function refused(
  name: string,
  path: string,
  change: { readonly target: string; readonly mode: number; readonly usualMode: number; readonly watched: string },
): PermissionObjection | undefined {
  cases++;
  const { target, mode, usualMode, watched } = change;
  const before = fingerprint(watched);
  const descriptors = descriptorCount();
  setMode(target, mode);
  const end = openingEnds(path);
  const left = descriptorCount() - descriptors;
  setMode(target, usualMode);
  return judgeRefusal(name, end, left, before, fingerprint(watched));
}

function judgeRefusal(
  name: string,
  end: string,
  left: number,
  before: readonly string[],
  after: readonly string[],
): PermissionObjection | undefined {
  if (end !== 'LIGHTNING_PERMISSION')
    return { class: 'unexpected-error', message: `${name}: opening ended with ${end}` };
  if (left !== 0) return { class: 'leak', message: `${name}: ${left} descriptors are left` };
  if (before.join('\n') === after.join('\n')) return undefined;
  const changed = after.filter((line) => !before.includes(line)).join(', ') || 'something is missing';
  return { class: 'integrity-problem', message: `${name}: the refused call changed files: ${changed}` };
}

async function asUser(): Promise<PermissionObjection | undefined> {
  const base = `${request.directory}/owned`;
  makeFolder(base);
  setMode(base, 0o700);
  const store = `${base}/store`;
  await makeStore(store);
  const files = fingerprint(store).map((line) => line.split(' ')[0]);
  const kinds = [/^MANIFEST$/, /^wal-/, /^run-/, /^tree\.db$/, /^LOCK$/];
  for (const kind of kinds) {
    const name = files.find((file) => kind.test(file));
    if (name === undefined) throw new LightningError('LIGHTNING_HARNESS', 'the store lacks a kind of file', { files });
    const objection = refused(`${name} unreadable`, store, {
      target: `${store}/${name}`,
      mode: 0,
      usualMode: 0o600,
      watched: store,
    });
    if (objection !== undefined) return objection;
  }
  for (const [name, mode] of [['folder unwritable', 0o500] as const, ['folder closed', 0] as const]) {
    const objection = refused(name, store, { target: store, mode, usualMode: 0o700, watched: store });
    if (objection !== undefined) return objection;
  }
  expectContents(store);
  const empty = `${base}/empty`;
  makeFolder(empty);
  setMode(empty, 0o700);
  const unwritable = refused('empty folder unwritable', empty, {
    target: empty,
    mode: 0o500,
    usualMode: 0o700,
    watched: empty,
  });
  if (unwritable !== undefined) return unwritable;
  const missing = refused('folder above unwritable', `${base}/missing`, {
    target: base,
    mode: 0o500,
    usualMode: 0o700,
    watched: base,
  });
  return missing ?? (await lostWhileOpen(`${base}/open`));
}

/** The folder becomes unwritable under an open store: what was acknowledged stays, what was refused is absent. */
async function lostWhileOpen(path: string): Promise<PermissionObjection | undefined> {
  cases++;
  const ledger = new Ledger(1);
  const prng = new Prng(1);
  const database = Database.openSync(path, OPTIONS);
  const write = async (): Promise<string> => {
    const batch = ledger.draw(prng);
    try {
      await database.batch(batch.operations);
      ledger.note(batch, 'acknowledged');
      return 'success';
    } catch (error) {
      const code = isLightningError(error) ? error.code : String(error);
      ledger.note(batch, code === 'LIGHTNING_PERMISSION' ? 'rejected' : 'indefinite');
      return code;
    }
  };
  await write();
  setMode(path, 0o500);
  const ends = new Set<string>();
  for (let i = 0; i < 40; i++) ends.add(await write());
  setMode(path, 0o700);
  if (!ends.has('LIGHTNING_PERMISSION')) {
    return {
      class: 'unexpected-error',
      message: `writing into a folder made unwritable ended with ${[...ends].join()}`,
    };
  }
  const { key, value } = ledger.someKey(prng);
  if (Buffer.compare(database.getSync(key) ?? new Uint8Array(0), value) !== 0) {
    return { class: 'wrong-read', message: 'a read after the lost permission is wrong' };
  }
  await database.close();
  const reopened = Database.openSync(path, OPTIONS);
  const contents: Contents = new Map(
    [...reopened.scanSync()].map(([k, v]) => [Buffer.from(k).toString('latin1'), v] as const),
  );
  const objection = ledger.judge(contents);
  reopened.closeSync();
  return objection;
}

async function onMount(): Promise<PermissionObjection | undefined> {
  const { directory } = request;
  runCommand('mount', '-t', 'tmpfs', '-o', 'size=8m,mode=0700', 'tmpfs', directory);
  const store = `${directory}/store`;
  await makeStore(store);
  for (const [name, path] of [['a store', store] as const, ['no store yet', `${directory}/missing`] as const]) {
    cases++;
    const before = fingerprint(store);
    const descriptors = descriptorCount();
    remountTmpfs('ro', directory);
    const end = openingEnds(path);
    const left = descriptorCount() - descriptors;
    remountTmpfs('rw', directory);
    const objection = judgeRefusal(`read-only file system, ${name}`, end, left, before, fingerprint(store));
    if (objection !== undefined) return objection;
  }
  expectContents(store);
  return undefined;
}

try {
  if (request.user !== undefined) {
    process.setgroups?.([]);
    process.setgid?.(request.user);
    process.setuid?.(request.user);
  }
  const objection = request.kind === 'user' ? await asUser() : await onMount();
  tellAndEnd({ cases, ...(objection === undefined ? {} : { objection }) } satisfies PermissionReport);
} catch (error) {
  tellAndEnd({ cases, error: `${String(error)} ${errnoOf(error) ?? ''}` } satisfies PermissionReport);
}
