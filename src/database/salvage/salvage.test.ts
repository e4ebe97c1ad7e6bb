/** Salvage of damaged stores: only rows that were there, everything said that is missing, the source as it was. */
import { expect, test } from 'vitest';
import { fromText } from '../../base/bytes.ts';
import { LightningError } from '../../base/errors.ts';
import { Prng } from '../../base/prng.ts';
import { applyDamage, type Damage } from '../../faults/damage.ts';
import type { DiskImage } from '../../faults/disk-image.ts';
import { SimulatedDisk } from '../../faults/simulated-disk.ts';
import { Database } from '../index.ts';
import { salvageInto, type SalvageReport } from './salvage.ts';

const OPTIONS = { memtableBytes: 6000, runBlockBytes: 512, nodeTargetBytes: 512, runCountMax: 4 } as const;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

interface Made {
  readonly image: DiskImage;
  /** What is there in the end. */
  readonly rows: ReadonlyMap<string, string>;
  /** Every row that ever was, `key=value`. */
  readonly ever: ReadonlySet<string>;
}

/** A store with a tree, runs and a log. */
async function makeStore(): Promise<Made> {
  const disk = new SimulatedDisk();
  const database = Database.openOn(disk, OPTIONS);
  const rows = new Map<string, string>();
  const ever = new Set<string>();
  const put = async (number: number, round: number): Promise<void> => {
    const key = `key ${String(number).padStart(3, '0')}`;
    const value = `${round}.${number} `.padEnd(60, 'v');
    await database.put(fromText(key), fromText(value));
    rows.set(key, value);
    ever.add(`${key}=${value}`);
  };
  for (let i = 0; i < 200; i++) await put(i, 1);
  await database.compact();
  for (let i = 0; i < 200; i += 3) await put(i, 2);
  await database.flush();
  for (let i = 0; i < 200; i += 4) await put(i, 3);
  for (let i = 0; i < 200; i += 5) {
    const key = `key ${String(i).padStart(3, '0')}`;
    await database.delete(fromText(key));
    rows.delete(key);
  }
  await database.sync();
  const image = disk.currentImage();
  await database.close();
  return { image, rows, ever };
}

async function salvaged(image: DiskImage): Promise<{ report: SalvageReport; rows: Map<string, string> }> {
  const source = new SimulatedDisk({ image });
  const target = new SimulatedDisk();
  const report = await salvageInto(source, () => target);
  for (const path of image.paths()) expect(source.currentImage().get(path)).toBe(image.get(path));
  await using database = Database.openOn(target);
  expect(await database.verifyIntegrity()).toEqual([]);
  const found = [...database.scanSync()].map(([key, value]) => [text(key), text(value)] as const);
  return { report, rows: new Map(found) };
}

test('a sound store is copied whole', async () => {
  const made = await makeStore();
  const { report, rows } = await salvaged(made.image);
  expect(report).toEqual({ rows: made.rows.size, losses: [], doubts: [] });
  expect(rows).toEqual(made.rows);
});

test('whatever is damaged: only rows that were there, stale ones only with a doubt, missing ones only with a loss', async () => {
  const made = await makeStore();
  const prng = new Prng(20261125);
  const seen = { whole: 0, lost: 0, doubted: 0, refused: 0 };
  for (let i = 0; i < 150; i++) {
    const paths = made.image.paths().filter((path) => path !== 'LOCK');
    const path = paths[prng.below(paths.length)];
    const size = made.image.get(path)?.length ?? 0;
    if (size === 0) continue;
    const position = prng.below(size);
    const kinds: readonly Damage[] = [
      { kind: 'flip', path, position, mask: 1 + prng.below(255) },
      { kind: 'zero-sector', path, position },
      { kind: 'truncate', path, sizeBytes: position },
      { kind: 'remove', path },
    ];
    const damage = kinds[prng.below(kinds.length)];
    const image = applyDamage(made.image, damage);
    if (image === undefined) continue;
    let result: { report: SalvageReport; rows: Map<string, string> };
    try {
      result = await salvaged(image);
    } catch (error) {
      // Without its manifest nothing is believed; a damaged head of it looks like something else, or something newer.
      const codes = [
        'LIGHTNING_CORRUPTION',
        ...(path === 'MANIFEST' ? ['LIGHTNING_NOT_A_STORE', 'LIGHTNING_UNSUPPORTED_FORMAT'] : []),
      ];
      expect([damage, codes, error instanceof LightningError ? error.code : error]).toEqual([
        damage,
        codes,
        expect.toBeOneOf(codes),
      ]);
      seen.refused++;
      continue;
    }
    const { report, rows } = result;
    for (const [key, value] of rows) {
      expect(made.ever).toContain(`${key}=${value}`);
      if (report.doubts.length === 0) expect([damage, key, value]).toEqual([damage, key, made.rows.get(key)]);
    }
    if (report.losses.length + report.doubts.length === 0) expect([damage, rows]).toEqual([damage, made.rows]);
    if (report.losses.length > 0) seen.lost++;
    if (report.doubts.length > 0) seen.doubted++;
    if (report.losses.length + report.doubts.length === 0) seen.whole++;
  }
  for (const count of [seen.whole, seen.lost, seen.doubted]) expect(count).toBeGreaterThan(0);
});

test('one damaged leaf of the tree costs what is in it, not what is around it', async () => {
  const made = await makeStore();
  const size = made.image.get('tree.db')?.length ?? 0;
  let most = 0;
  for (let position = 4096 * 2; position < size; position += 4096) {
    const image = applyDamage(made.image, { kind: 'zero-sector', path: 'tree.db', position });
    if (image === undefined) continue;
    const { report, rows } = await salvaged(image);
    if (report.losses.length > 0) most = Math.max(most, rows.size);
  }
  expect(most).toBeGreaterThan(0.8 * made.rows.size);
});
