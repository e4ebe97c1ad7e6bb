/**
 * A store on a disk that fills up. Runs in a mount namespace of its own, so that its mounts vanish with it, however it
 * ends. Two disks:
 *
 *   `tmpfs`  a real ENOSPC from `write`: refused definitely, reads go on, writing resumes when there is space.
 *   `ext4`   a file system on a sparse image on a full tmpfs: `write` succeeds, `fsync` fails, *the next one succeeds*.
 *            A store that goes on after the first has lost what it acknowledges after the second.
 */
import { errnoOf, isLightningError, LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { Database } from '../src/database/index.ts';
import { receiveRequest, tellAndEnd } from './child.ts';
import { Ledger, type LedgerObjection } from './disk-ledger.ts';
import { type FaultyStore, type Store, wrap } from './faulty-store.ts';
import type { Contents } from './load-judge.ts';
import { fillUp, makeFolder, makeSparse, ProbeFile, removeFile, remountTmpfs, runCommand } from './real-files.ts';

/** What this process is asked to do. */
export interface FullDiskRequest {
  readonly disk: 'tmpfs' | 'ext4';
  /** An empty folder to mount on. */
  readonly directory: string;
  readonly seed: number;
  readonly fault?: FaultyStore;
}

/** How it went. */
export interface FullDiskReport {
  /** Why the check could not be made; then nothing else counts. */
  readonly unknown?: string;
  readonly objection?: LedgerObjection;
  readonly counts: Readonly<Record<string, number>>;
  readonly situations: readonly string[];
}

/** Begins the reason when the disk beneath, not the store, lost something; another seed may fare better. */
const LOST_ITS_OWN = 'the file system lost blocks of its own';
const MEBIBYTE = 1024 * 1024;
const CLIENT_COUNT = 4;
/** Refusals in a row after which a client believes that the disk is full. */
const REFUSALS_WANTED = 3;
const RESUME_SECONDS_MAX = 6;
/** What a refused write may say once an fsync has failed. */
const DEFINITE_CODES = ['LIGHTNING_POISONED', 'LIGHTNING_DISK_FULL', 'LIGHTNING_IO'] as const;
const OPTIONS = { memtableBytes: 128 * 1024, runCountMax: 2 } as const;

const request = await receiveRequest<FullDiskRequest>();
const prng = new Prng(request.seed);
const ledger = new Ledger(request.seed);
const situations: string[] = [];
const storeOn = (disk: string): string => `${disk}/store`;

/** The machine does not let us make the disk: no verdict about the store. */
function setUp(command: string, ...parameters: readonly string[]): void {
  try {
    runCommand(command, ...parameters);
  } catch (error) {
    throw new LightningError('LIGHTNING_MISSING_CAPABILITY', `${command} does not work here`, {}, error);
  }
}

/** Ends the check with an objection. */
function object(objectionClass: string, message: string): never {
  throw new LightningError('LIGHTNING_HARNESS', message, { class: objectionClass });
}

function objectionOf(error: unknown): LedgerObjection {
  if (isLightningError(error, 'LIGHTNING_HARNESS')) {
    return { class: String(error.details['class'] ?? 'unexpected-error'), message: error.message };
  }
  return { class: isLightningError(error) ? 'unexpected-error' : 'uncoded-error', message: String(error) };
}

function contentsOf(database: Database): Contents {
  const contents = new Map<string, Uint8Array>();
  for (const [key, value] of database.scanSync()) contents.set(Buffer.from(key).toString('latin1'), value);
  return contents;
}

function judge(database: Database, when: string): void {
  const objection = ledger.judge(contentsOf(database));
  if (objection !== undefined) object(objection.class, `${when}: ${objection.message}`);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Writes one batch; anything but success or a definite refusal ends the check. */
async function writeOne(database: Database, store: Store): Promise<boolean> {
  const batch = ledger.draw(prng);
  try {
    await store.batch(batch.operations);
    ledger.note(batch, 'acknowledged');
    return true;
  } catch (error) {
    if (!isLightningError(error, 'LIGHTNING_DISK_FULL')) {
      object('unexpected-error', `a write on a full disk ended with ${String(error)}`);
    }
    ledger.note(batch, 'rejected');
    for (const key of batch.keys) {
      if (database.getSync(Buffer.from(key, 'latin1')) === undefined) continue;
      object('rejected-write-visible', `batch ${batch.number} was refused and ${key} is read`);
    }
    const { key, value } = ledger.someKey(prng);
    const read = database.getSync(key);
    if (read === undefined || Buffer.compare(read, value) !== 0) object('wrong-read', 'a read on a full disk is wrong');
    return false;
  }
}

async function fill(database: Database, store: Store): Promise<void> {
  const client = async (): Promise<void> => {
    // A cheat never refuses anything: the bound ends its run.
    for (let refused = 0, tries = 0; refused < REFUSALS_WANTED && tries < 2000; tries++) {
      refused = (await writeOne(database, store)) ? 0 : refused + 1;
      if (request.fault !== undefined && tries > 400) return;
    }
  };
  await Promise.all(Array.from({ length: CLIENT_COUNT }, client));
  judge(database, 'on the full disk');
}

/** There is space again: each of a few writes has to get through, without reopening. */
async function resume(database: Database, store: Store, after: string): Promise<void> {
  const until = performance.now() + RESUME_SECONDS_MAX * 1000;
  for (let done = 0; done < 5;) {
    if (await writeOne(database, store)) done++;
    else if (performance.now() > until) object('hang', `writing did not resume after ${after}`);
    else await pause(20);
  }
  situations.push(`writing resumed after ${after}`);
  judge(database, `after ${after}`);
}

async function judgeReopened(path: string): Promise<void> {
  const database = Database.openSync(path, OPTIONS);
  judge(database, 'after reopening');
  const [finding] = await database.verifyIntegrity();
  if (finding !== undefined) object('integrity-problem', `${finding.file}: ${finding.problem}`);
  database.checkInvariants();
  await database.close();
}

/** A full disk may refuse a clean end and an opening, with the code of a full disk and no other. */
async function allowFull(what: string, action: () => Promise<void>): Promise<void> {
  try {
    await action();
    situations.push(`${what} on the full disk worked`);
  } catch (error) {
    if (!isLightningError(error, 'LIGHTNING_DISK_FULL')) throw error;
    situations.push(`${what} on the full disk was refused`);
  }
}

async function onTmpfs(): Promise<void> {
  const { directory } = request;
  setUp('mount', '-t', 'tmpfs', '-o', 'size=5m,mode=0700', 'tmpfs', directory);
  const ballast = `${directory}/ballast`;
  fillUp(ballast, 1.5 * MEBIBYTE);
  const path = storeOn(directory);
  const database = Database.openSync(path, OPTIONS);
  const store = wrap(database, request.fault);
  await fill(database, store);
  removeFile(ballast);
  await resume(database, store, 'something else was deleted');
  await fill(database, store);
  remountTmpfs('size=9m', directory);
  await resume(database, store, 'the disk grew');
  await fill(database, store);
  fillUp(`${directory}/rest`, Infinity);
  await allowFull('closing', () => database.close());
  fillUp(`${directory}/more`, Infinity);
  await allowFull('opening', async () => Database.openSync(path, OPTIONS).close());
  remountTmpfs('size=32m', directory);
  await judgeReopened(path);
}

/** Everything but `close` has to say that the store is poisoned. */
async function expectPoisoned(database: Database): Promise<void> {
  const key = new Uint8Array([1]);
  const calls: readonly (readonly [string, () => unknown])[] = [
    ['get', () => database.get(key)],
    ['scan', () => [...database.scanSync()]],
    ['batch', () => database.batch([{ type: 'put', key, value: key }])],
    ['sync', () => database.sync()],
    ['flush', () => database.flush()],
    ['compact', () => database.compact()],
    ['verifyIntegrity', () => database.verifyIntegrity()],
  ];
  for (const [name, call] of calls) {
    try {
      await call();
    } catch (error) {
      const deep = isLightningError(error) ? [error, error.cause] : [error];
      if (deep.some((one) => isLightningError(one, 'LIGHTNING_POISONED'))) continue;
      object('unexpected-error', `${name} after a failed fsync ended with ${String(error)}`);
    }
    object('unexpected-error', `${name} works after a failed fsync: the store is not poisoned`);
  }
  situations.push('every call refused after a failed fsync');
}

/** Writes until the first fsync fails. Returns whether one did. */
async function writeUntilFailure(store: Store): Promise<boolean> {
  let failed = false;
  const client = async (): Promise<void> => {
    for (let tries = 0; tries < 500 && !failed; tries++) {
      const batch = ledger.draw(prng);
      try {
        await store.batch(batch.operations);
        ledger.note(batch, 'acknowledged');
      } catch (error) {
        // Whatever is not called indefinite is definite (spec/errors.md): a commit that waited for a flush, say, gets
        // that flush's failure and was never appended.
        const definite = DEFINITE_CODES.some((code) => isLightningError(error, code));
        if (!definite && !isLightningError(error, 'LIGHTNING_INDEFINITE')) {
          object('unexpected-error', `a write whose fsync failed ended with ${String(error)}`);
        }
        ledger.note(batch, definite ? 'rejected' : 'indefinite');
        failed = true;
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENT_COUNT }, client));
  return failed;
}

async function onExt4(): Promise<string | undefined> {
  const under = `${request.directory}/under`;
  const disk = `${request.directory}/disk`;
  setUp('mount', '-t', 'tmpfs', '-o', 'size=24m,mode=0700', 'tmpfs', request.directory);
  makeFolder(under);
  makeFolder(disk);
  makeSparse(`${under}/image`, 96 * MEBIBYTE);
  // Without a journal: with one, the failed write of the journal would make the file system read-only.
  setUp('mkfs.ext4', '-q', '-F', '-b', '4096', '-O', '^has_journal', `${under}/image`);
  const mountDisk = (): void => setUp('mount', '-o', 'loop', `${under}/image`, disk);
  mountDisk();
  const probe = new ProbeFile(`${disk}/probe`);
  const before = probe.appendAndSync(4096);
  const database = Database.openSync(storeOn(disk), OPTIONS);
  const store = wrap(database, request.fault);
  for (let i = 0; i < 60; i++) await writeOne(database, store);
  fillUp(`${under}/ballast`, Infinity);
  const failed = await writeUntilFailure(store);
  const first = probe.appendAndSync(MEBIBYTE);
  const second = probe.sync();
  probe.close();
  if (before !== 'ok' || first === 'ok' || second !== 'ok') {
    return `this kernel's fsyncs end with ${before}, ${first}, ${second} instead of ok, ENOSPC, ok`;
  }
  if (!failed) object('lost-acknowledged-write', 'writes were acknowledged although every fsync fails');
  situations.push('an fsync failed and the next one succeeded');
  await expectPoisoned(database);
  await database.close();
  removeFile(`${under}/ballast`);
  // Away with the page cache: what counts is what the disk has.
  runCommand('umount', disk);
  mountDisk();
  try {
    await judgeReopened(storeOn(disk));
  } catch (error) {
    // Without a journal the file system may have lost blocks of its own; no store could read past that.
    if (errnoOf(error) === 'EIO') return `${LOST_ITS_OWN}: ${String(error)}`;
    throw error;
  }
  runCommand('umount', disk);
  return undefined;
}

function counts(): Record<string, number> {
  return {
    'batches acknowledged around a full disk': ledger.count('acknowledged'),
    'batches refused by a full disk': ledger.count('rejected'),
    'batches left open by a failed fsync': ledger.count('indefinite'),
  };
}

try {
  const unknown = request.disk === 'tmpfs' ? await onTmpfs().then(() => undefined) : await onExt4();
  tellAndEnd({ ...(unknown === undefined ? {} : { unknown }), counts: counts(), situations } satisfies FullDiskReport);
} catch (error) {
  const outcome = isLightningError(error, 'LIGHTNING_MISSING_CAPABILITY')
    ? { unknown: error.message }
    : { objection: objectionOf(error) };
  tellAndEnd({ ...outcome, counts: counts(), situations } satisfies FullDiskReport);
}
