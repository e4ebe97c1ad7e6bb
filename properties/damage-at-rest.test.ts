/** The judge of damages, seen to object and seen to be content; the rarer kinds on several stores, all of them. */
import { expect, test } from 'vitest';
import { Prng } from '../src/base/prng.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { DamageCampaign, describeDamage } from './damage-at-rest.ts';
import { damagedImage, judgeDamage, type StoreDamage } from './damage-judge.ts';
import { DAMAGE_KINDS, damagePhases, damagesOf } from './damage-plan.ts';
import { drawDamageProgram, type DamageStore, makeDamageStore, shapeOf } from './damage-store.ts';
import { UNWATCHED } from './program-run.ts';

const storeOf = (seed: number): DamageStore => makeDamageStore(drawDamageProgram(new Prng(seed)));

test('every store has a tree of several nodes, runs, several segments, free blocks and a past', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const store = storeOf(seed);
    expect(store.objection).toBeUndefined();
    const shape = shapeOf(new SimulatedDisk({ image: store.image }));
    expect(shape.segments).toBeGreaterThan(1);
    expect(shape.runs).toBeGreaterThan(0);
    expect(shape.treeBlocks).toBeGreaterThan(4);
    expect(shape.freeBlocks).toBeGreaterThan(0);
    expect(store.older.get('tree.db')?.length).toBeGreaterThan(0);
    expect(store.older.get('MANIFEST')?.length).toBeGreaterThan(3);
  }
});

test('a store without damage is one whose damage was not found, and other rows are wrong data', () => {
  const store = storeOf(1);
  expect(judgeDamage(store, store.image).objection).toMatchObject({ class: 'damage-not-found' });
  const [revived] = [...damagesOf(store, 'older')].filter(({ path }) => store.image.get(path) === undefined);
  const image = damagedImage(store, revived);
  expect(image).toBeDefined();
  if (image === undefined) return;
  expect(judgeDamage(store, image)).toEqual({ objection: undefined, refused: false });
  const expectsMore = { ...store, rows: store.rows.slice(1) };
  expect(judgeDamage(expectsMore, image).objection).toMatchObject({ class: 'damage-wrong-data' });
});

test('files removed and replaced, pages zeroed, exchanged and stale are found and never read as data', () => {
  for (let seed = 1; seed <= 3; seed++) {
    const store = storeOf(seed);
    for (const kind of DAMAGE_KINDS) {
      if (kind === 'flip' || kind === 'truncate') continue;
      let judged = 0;
      for (const damage of damagesOf(store, kind)) {
        const image = damagedImage(store, damage);
        if (image === undefined) continue;
        judged++;
        expect(judgeDamage(store, image).objection, describeDamage(damage)).toBeUndefined();
      }
      expect(judged, kind).toBeGreaterThan(0);
    }
  }
});

test('each pass over the flips hits every byte of every file once, in another pattern', () => {
  const store = storeOf(2);
  const bytes = store.image.sizeBytes;
  const passes = damagePhases(store).filter(({ kind }) => kind === 'flip');
  const patterns = passes.map(({ damages }) => [...damages].map((one) => (one.kind === 'flip' ? one.mask : 0)));
  expect(patterns.map(({ length }) => length)).toEqual([bytes, bytes, bytes]);
  for (let i = 0; i < bytes; i++) expect(new Set(patterns.map((pattern) => pattern[i])).size).toBe(3);
});

test('a damage that the store has no place for changes nothing', () => {
  const store = storeOf(1);
  const misfits: StoreDamage[] = [
    { kind: 'flip', path: 'MANIFEST', position: 1_000_000, mask: 1 },
    { kind: 'remove', path: 'run-99.sst' },
    { kind: 'older', path: 'tree.db', version: 1_000 },
    { kind: 'swap', path: 'tree.db', first: 0, second: 1_000_000, lengthBytes: 512 },
  ];
  for (const damage of misfits) expect(damagedImage(store, damage)).toBeUndefined();
});

test('a campaign goes on where it stopped', () => {
  const campaign = new DamageCampaign(new Prng(3), UNWATCHED);
  const seen = new Set<string>();
  for (let i = 0; i < 4; i++) {
    expect(campaign.next(40)).toBeUndefined();
    seen.add(campaign.fingerprint);
  }
  expect(seen.size).toBe(4);
  expect(campaign.storesHit).toBe(0);
});
