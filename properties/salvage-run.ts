/**
 * One store, one damage, and what salvage makes of it. Judged: only rows that were there; stale ones only with a doubt,
 * missing ones only with a loss; what lies in files that are not damaged is saved; the source stays as it was.
 */
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import { CLOCK_START_MILLISECONDS } from '../src/contract/limits.ts';
import { Database } from '../src/database/index.ts';
import { ReadOnlyDatabase } from '../src/database/read-only/read-only-database.ts';
import { salvageInto, type SalvageReport } from '../src/database/salvage/salvage.ts';
import { applyDamage, type Damage } from '../src/faults/damage.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { Count } from './case-part.ts';
import type { Objection } from './program-check.ts';
import type { SalvageCase } from './salvage-cases.ts';

const OPTIONS = {
  durability: 'commit',
  memtableBytes: 1_000_000,
  blockSizeBytes: 512,
  runBlockBytes: 64,
  nodeTargetBytes: 512,
  runCountMax: 8,
} as const;
/** No clock of a test comes so far by itself. */
const FAR_MILLISECONDS = 4_102_444_800_000;

/** Where the last write of a key lies. */
type Layer = 'tree' | 'run' | 'log';

interface Made {
  readonly image: DiskImage;
  readonly rows: ReadonlyMap<string, string>;
  readonly expiring: ReadonlySet<string>;
  /** Every row that ever was, `key=value`. */
  readonly ever: ReadonlySet<string>;
  readonly layers: ReadonlyMap<string, Layer>;
}

/** Runs a case; `undefined` when nothing is wrong. */
export async function runSalvageCase(testCase: SalvageCase, count: Count): Promise<Objection | undefined> {
  const made = makeStore(testCase);
  const damage = damageOf(made.image, testCase.damage);
  const image = damage === undefined ? made.image : applyDamage(made.image, damage);
  if (image === undefined) return undefined;
  count('salvages');
  return judge(made, damage, image, count);
}

function makeStore({ steps, closed }: SalvageCase): Made {
  const disk = new SimulatedDisk();
  const database = Database.openOn(disk, { ...OPTIONS, clock: new ManualClock(CLOCK_START_MILLISECONDS) });
  const rows = new Map<string, string>();
  const expiring = new Set<string>();
  const ever = new Set<string>();
  const layers = new Map<string, Layer>();
  let serial = 0;
  for (const step of steps) {
    if (step.kind === 'flush' || step.kind === 'compact') {
      if (step.kind === 'flush') database.flushSync();
      else database.compactSync();
      for (const [key, layer] of layers)
        if (step.kind === 'compact' || layer === 'log') layers.set(key, step.kind === 'compact' ? 'tree' : 'run');
      continue;
    }
    const key = `key ${String(step.key).padStart(3, '0')}`;
    layers.set(key, 'log');
    expiring.delete(key);
    if (step.kind === 'delete') {
      database.deleteSync(Buffer.from(key));
      rows.delete(key);
      continue;
    }
    const value = `${++serial} `.padEnd(step.size, 'v');
    database.putSync(Buffer.from(key), Buffer.from(value), step.expires === true ? { deadline: FAR_MILLISECONDS } : {});
    if (step.expires === true) expiring.add(key);
    rows.set(key, value);
    ever.add(`${key}=${value}`);
  }
  if (closed) database.closeSync();
  const image = disk.currentImage();
  database.closeSync();
  return { image, rows, expiring, ever, layers };
}

/** Numbers of a case are taken modulo what there is. */
function damageOf(image: DiskImage, { kind, file, position, mask }: SalvageCase['damage']): Damage | undefined {
  const paths = image.paths().filter((path) => path !== 'LOCK' && (image.get(path)?.length ?? 0) > 0);
  const path = paths[file % paths.length];
  const at = position % (image.get(path)?.length ?? 1);
  switch (kind) {
    case 'none':
      return undefined;
    case 'flip':
      return { kind, path, position: at, mask };
    case 'zero-sector':
      return { kind, path, position: at };
    case 'truncate':
      return { kind, path, sizeBytes: at };
    case 'remove':
      return { kind, path };
  }
}

async function judge(
  made: Made,
  damage: Damage | undefined,
  image: DiskImage,
  count: Count,
): Promise<Objection | undefined> {
  const source = new SimulatedDisk({ image });
  const target = new SimulatedDisk();
  let report: SalvageReport;
  try {
    report = await salvageInto(source, () => target);
  } catch (error) {
    if (!isLightningError(error)) throw error;
    count('salvages refused');
    // Without its manifest nothing is believed; a damaged head of it looks like something else, or something newer.
    if (damage?.path === 'MANIFEST') return undefined;
    return { class: 'salvage-failed', message: `${describe(damage)}: ${error.code}: ${error.message}` };
  }
  const objection = judgeSource(image, source) ?? (await judgeTarget(made, damage, image, target, report, count));
  return objection === undefined ? undefined : { ...objection, message: `${describe(damage)}: ${objection.message}` };
}

function describe(damage: Damage | undefined): string {
  return damage === undefined ? 'nothing is damaged' : JSON.stringify(damage);
}

function judgeSource(image: DiskImage, source: SimulatedDisk): Objection | undefined {
  const after = source.currentImage();
  const isSame =
    after.paths().join(' ') === image.paths().join(' ') &&
    image.paths().every((path) => after.get(path) === image.get(path));
  return isSame ? undefined : { class: 'salvage-wrote', message: `the source holds ${after.paths().join(' ')} now` };
}

async function judgeTarget(
  made: Made,
  damage: Damage | undefined,
  image: DiskImage,
  target: SimulatedDisk,
  { losses, doubts }: SalvageReport,
  count: Count,
): Promise<Objection | undefined> {
  const clock = new ManualClock(CLOCK_START_MILLISECONDS);
  const database = Database.openOn(target, { clock });
  try {
    const findings = await database.verifyIntegrity();
    if (findings.length > 0) return { class: 'salvage-damaged', message: `the new store: ${findings[0].problem}` };
    const found = new Map([...database.scanSync()].map(([key, value]) => [text(key), text(value)] as const));
    count('rows salvaged', found.size);
    if (losses.length > 0) count('salvages with losses');
    if (doubts.length > 0) count('salvages with doubts');
    for (const [key, value] of found) {
      if (!made.ever.has(`${key}=${value}`)) return { class: 'salvage-invented', message: `${key} holds ${value}` };
      if (doubts.length === 0 && made.rows.get(key) !== value)
        return { class: 'salvage-stale', message: `${key} is ${value} again, without a doubt being said` };
    }
    for (const [key, value] of made.rows) {
      if (found.get(key) === value) continue;
      if (losses.length + doubts.length === 0)
        return { class: 'salvage-silent', message: `${key} is missing, and nothing is said` };
      if (isSafe(made, damage, key) || isReadable(image, key, value))
        return { class: 'salvage-lost', message: `${key} could be read and was not saved` };
    }
    clock.set(FAR_MILLISECONDS + 1);
    for (const key of made.expiring)
      if (found.get(key) === made.rows.get(key) && database.getSync(Buffer.from(key)) !== undefined)
        return { class: 'salvage-stale', message: `${key} has lost its deadline` };
    return undefined;
  } finally {
    database.closeSync();
  }
}

/** Whether a row lies where the damage is not, and nothing that is damaged can hide it. */
function isSafe({ layers }: Made, damage: Damage | undefined, key: string): boolean {
  const layer = layers.get(key);
  if (damage === undefined) return true;
  if (damage.path.startsWith('wal-')) return layer !== 'log';
  if (damage.path.startsWith('run-')) return layer !== 'run';
  return damage.path !== 'MANIFEST' && layer !== 'tree';
}

/**
 * Whether an opening for reading only finds the row by reading on to the end of the store, or back to its beginning. A
 * row that stands alone between two damaged nodes is found only by whoever knows its key; salvage does not.
 */
function isReadable(image: DiskImage, key: string, value: string): boolean {
  let database: ReadOnlyDatabase | undefined;
  try {
    database = ReadOnlyDatabase.openOn(new SimulatedDisk({ image }), { cacheBytes: 0 });
    return readsTo(database, key, value, false) || readsTo(database, key, value, true);
  } catch (error) {
    if (!isLightningError(error)) throw error;
    return false;
  } finally {
    database?.closeSync();
  }
}

function readsTo(database: ReadOnlyDatabase, key: string, value: string, reverse: boolean): boolean {
  try {
    for (const [foundKey, found] of database.scanSync({ reverse }))
      if (text(foundKey) === key) return text(found) === value;
  } catch (error) {
    if (!isLightningError(error)) throw error;
  }
  return false;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}
