/** Every damage of a store: kinds, places and patterns, in a fixed order. */
import { allZero, equalBytes } from '../src/base/bytes.ts';
import { LOCK_FILE, TREE_FILE } from '../src/engine/file-names.ts';
import { SECTOR_BYTES } from '../src/faults/persistence.ts';
import type { StoreDamage } from './damage-judge.ts';
import type { DamageStore } from './damage-store.ts';

export type DamageKind = StoreDamage['kind'];

/** The cheap kinds first: every byte is flipped last. */
export const DAMAGE_KINDS: readonly DamageKind[] = [
  'remove',
  'older',
  'other-file',
  'stale',
  'zero-sector',
  'swap',
  'truncate',
  'flip',
];

/** The lowest bit, the highest bit, all bits. */
const MASKS = [0x01, 0x80, 0xff] as const;

/** The files of a store that may be damaged: all but the lock, which holds nothing. */
function filesOf(store: DamageStore): [path: string, bytes: Uint8Array][] {
  return store.image.paths().flatMap((path): [string, Uint8Array][] => {
    const bytes = store.image.get(path);
    return bytes === undefined || path === LOCK_FILE ? [] : [[path, bytes]];
  });
}

/** A part of the plan that is done whole. */
export interface DamagePhase {
  readonly kind: DamageKind;
  readonly damages: Generator<StoreDamage>;
}

/** Phases after which every byte has been flipped, once. */
export const PHASES_FOR_EVERY_BYTE = DAMAGE_KINDS.length;

/** Everything, the flips in further patterns last: each pass over them hits every byte once. */
export function damagePhases(store: DamageStore): readonly DamagePhase[] {
  const phases = DAMAGE_KINDS.map((kind): DamagePhase => ({ kind, damages: damagesOfPass(store, kind, 0) }));
  for (let pass = 1; pass < MASKS.length; pass++) {
    phases.push({ kind: 'flip', damages: damagesOfPass(store, 'flip', pass) });
  }
  return phases;
}

/** Damages of one kind that change something or may; `damagedImage` tells. */
export function* damagesOf(store: DamageStore, kind: DamageKind): Generator<StoreDamage> {
  for (const phase of damagePhases(store)) if (phase.kind === kind) yield* phase.damages;
}

function* damagesOfPass(store: DamageStore, kind: DamageKind, pass: number): Generator<StoreDamage> {
  if (kind === 'older') {
    for (const [path, versions] of store.older) {
      for (let version = 0; version < versions.length; version++) yield { kind, path, version };
    }
    return;
  }
  if (kind === 'other-file') {
    for (const [path] of filesOf(store)) for (const [other] of filesOf(store)) yield { kind, path, other };
    return;
  }
  for (const [path, bytes] of filesOf(store)) yield* damagesOfFile(store, kind, path, bytes, pass);
}

function* damagesOfFile(
  store: DamageStore,
  kind: Exclude<DamageKind, 'older' | 'other-file'>,
  path: string,
  bytes: Uint8Array,
  pass: number,
): Generator<StoreDamage> {
  const unit = path === TREE_FILE ? store.blockSizeBytes : SECTOR_BYTES;
  switch (kind) {
    case 'remove':
      yield { kind, path };
      return;
    case 'stale':
      for (const [version, older] of (store.older.get(path) ?? []).entries()) {
        for (let position = 0; position < Math.min(older.length, bytes.length); position += unit) {
          yield { kind, path, version, position, lengthBytes: unit };
        }
      }
      return;
    case 'zero-sector':
      for (let position = 0; position < bytes.length; position += SECTOR_BYTES) {
        const end = Math.min(bytes.length, position + SECTOR_BYTES);
        if (!allZero(bytes, position, end)) yield { kind, path, position };
      }
      return;
    case 'swap':
      yield* swapsOf(path, bytes, unit);
      return;
    case 'truncate':
      for (let sizeBytes = 0; sizeBytes < bytes.length; sizeBytes++) yield { kind, path, sizeBytes };
      return;
    case 'flip':
      for (let position = 0; position < bytes.length; position++) {
        yield { kind, path, position, mask: MASKS[(position + pass) % MASKS.length] };
      }
      return;
  }
}

/** Pages of one size exchanged; in files shorter than two pages, their halves. */
function* swapsOf(path: string, bytes: Uint8Array, unit: number): Generator<StoreDamage> {
  const lengthBytes = bytes.length >= 2 * unit ? unit : bytes.length >>> 1;
  if (lengthBytes === 0) return;
  for (let first = 0; first + lengthBytes <= bytes.length; first += lengthBytes) {
    for (let second = first + lengthBytes; second + lengthBytes <= bytes.length; second += lengthBytes) {
      const a = bytes.subarray(first, first + lengthBytes);
      if (equalBytes(a, bytes.subarray(second, second + lengthBytes))) continue;
      yield { kind: 'swap', path, first, second, lengthBytes };
    }
  }
}
