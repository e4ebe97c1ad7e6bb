/**
 * One damage, judged: the examination of the store must not call it clean, and reading it must give the right data or a
 * coded error, never other data and never an exception without a code.
 */
import { ManualClock } from '../src/base/clock.ts';
import { equalBytes, toHex } from '../src/base/bytes.ts';
import { isLightningError } from '../src/base/errors.ts';
import type { Row } from '../src/contract/outcomes.ts';
import { Engine } from '../src/engine/index.ts';
import { readingBlobs } from '../src/database/blobs/blob-files.ts';
import { verifyStore } from '../src/database/verify/verify-store.ts';
import { applyDamage, type Damage } from '../src/faults/damage.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { DamageStore } from './damage-store.ts';
import type { Objection } from './program-check.ts';

/** A damage of bytes, or bytes from the past of the same file put back. Positions and lengths are bytes. */
export type StoreDamage =
  | Damage
  /** The whole file as it was, also of one that is gone. `version` counts from the oldest. */
  | { readonly kind: 'older'; readonly path: string; readonly version: number }
  /** Another file of the store in its place. */
  | { readonly kind: 'other-file'; readonly path: string; readonly other: string }
  /** One page as it was. */
  | {
      readonly kind: 'stale';
      readonly path: string;
      readonly version: number;
      readonly position: number;
      readonly lengthBytes: number;
    };

/** Where a damage of bytes ends; a store that has changed since may be shorter than that. */
function endOf(damage: Damage): number {
  switch (damage.kind) {
    case 'flip':
    case 'zero-sector':
      return damage.position + 1;
    case 'truncate':
      return damage.sizeBytes;
    case 'swap':
      return damage.second + damage.lengthBytes;
    case 'remove':
      return 0;
  }
}

/** The damaged image; `undefined` when nothing changes, or the store has no such place. */
export function damagedImage(store: DamageStore, damage: StoreDamage): DiskImage | undefined {
  const bytes = store.image.get(damage.path);
  if (damage.kind === 'other-file') {
    const other = store.image.get(damage.other);
    if (bytes === undefined || other === undefined || equalBytes(bytes, other)) return undefined;
    const exchanged = store.image.clone();
    exchanged.set(damage.path, other);
    return exchanged;
  }
  if (damage.kind !== 'older' && damage.kind !== 'stale') {
    return bytes === undefined || endOf(damage) > bytes.length ? undefined : applyDamage(store.image, damage);
  }
  const older = store.older.get(damage.path)?.[damage.version];
  if (older === undefined) return undefined;
  const image = store.image.clone();
  if (damage.kind === 'older') {
    image.set(damage.path, older);
    return image;
  }
  if (bytes === undefined) return undefined;
  const { position, lengthBytes } = damage;
  const page = older.subarray(position, Math.min(older.length, bytes.length, position + lengthBytes));
  if (equalBytes(page, bytes.subarray(position, position + page.length))) return undefined;
  const changed = bytes.slice();
  changed.set(page, position);
  image.set(damage.path, changed);
  return image;
}

/** What a damaged store did. */
export interface DamageVerdict {
  readonly objection: Objection | undefined;
  /** Whether reading refused, at the opening or later; if not, all data were right. */
  readonly refused: boolean;
}

/** Examines and reads a damaged image. */
export function judgeDamage(store: DamageStore, image: DiskImage): DamageVerdict {
  const unfound = examine(image);
  if (unfound !== undefined) return { objection: unfound, refused: false };
  try {
    return read(store, image);
  } catch (error) {
    return { objection: objectionTo(error, 'opening'), refused: true };
  }
}

function examine(image: DiskImage): Objection | undefined {
  try {
    const { clean } = verifyStore(new SimulatedDisk({ image }), { isOpen: false });
    return clean ? { class: 'damage-not-found', message: 'the examination calls the damaged store clean' } : undefined;
  } catch (error) {
    return objectionTo(error, 'the examination');
  }
}

/** A coded error is what damage may give, unless it says that the engine itself is wrong. */
function objectionTo(error: unknown, where: string): Objection | undefined {
  if (!isLightningError(error)) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { class: 'uncoded-error', message: `${where} threw ${text}` };
  }
  if (error.errorClass !== 'bug') return undefined;
  return { class: 'unexpected-error', message: `${where} broke an invariant: ${error.message}` };
}

/** Opens, asks for every key and makes both scans; a read that fails leaves the others to be made. */
function read(store: DamageStore, image: DiskImage): DamageVerdict {
  const vfs = new SimulatedDisk({ image });
  const clock = new ManualClock(store.clockMilliseconds);
  const engine = Engine.open(
    { vfs, clock, references: readingBlobs },
    { durability: 'none', cacheBytes: 0, createIfMissing: false },
  );
  let refused = false;
  let objection: Objection | undefined;
  const attempt = (reading: () => Objection | undefined): void => {
    try {
      objection ??= reading();
    } catch (error) {
      refused = true;
      objection ??= objectionTo(error, 'a read');
    }
  };
  for (const [key, value] of store.rows) attempt(() => wrongValue(engine.get(key), key, value));
  attempt(() => wrongRows(engine, store.rows, false));
  attempt(() => wrongRows(engine, store.rows, true));
  attempt(() => void engine.close());
  return { objection, refused };
}

function wrong(message: string): Objection {
  return { class: 'damage-wrong-data', message };
}

function wrongValue(found: Uint8Array | undefined, key: Uint8Array, value: Uint8Array): Objection | undefined {
  if (found !== undefined && equalBytes(found, value)) return undefined;
  return wrong(`get ${toHex(key.subarray(0, 12))} returned ${found === undefined ? 'nothing' : 'another value'}`);
}

function wrongRows(engine: Engine, rows: readonly Row[], reverse: boolean): Objection | undefined {
  const expected = reverse ? rows.toReversed() : rows;
  const scan = engine.scan({ reverse });
  let at = 0;
  while (scan.next()) {
    const row = expected[at++];
    const right =
      row !== undefined && equalBytes(row[0], scan.current.key()) && equalBytes(row[1], scan.current.value());
    if (!right) return wrong(`row ${at} of a scan is another one`);
  }
  return at === expected.length ? undefined : wrong(`a scan ended after ${at} of ${expected.length} rows`);
}
