/** A small campaign over two processes: it ends where it was told to, and says what it did not do. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type CampaignOptions, runCampaign } from './campaign.ts';

function options(imagesWanted: number, signal: AbortSignal): CampaignOptions {
  return {
    seed: 5,
    imagesWanted,
    secondsMax: 120,
    workerCount: 2,
    shard: 0,
    shardCount: 1,
    directoryModel: 'ext4',
    outDirectory: mkdtempSync(join(tmpdir(), 'lightning-campaign-')),
    signal,
    onProgress: () => undefined,
  };
}

test('it counts disks that differ, over both processes, and goes on where it ended', async () => {
  const first = await runCampaign(options(300, new AbortController().signal));
  const { result } = first;
  expect(result).toMatchObject({ violations: [], shortfall: '' });
  expect(result.images).toBeGreaterThanOrEqual(300);
  // The empty disks of a creation are the same in every program.
  expect(result.images).toBeLessThan(result.counts['images'] ?? 0);
  expect(result.counts['cycles, ext4 names']).toBe(result.cycles);
  expect(result.cycles).toBeGreaterThan(result.images);
  const wanted = result.images + 100;
  const { result: more, images } = await runCampaign({
    ...options(wanted, new AbortController().signal),
    before: first,
  });
  expect(images.length).toBeGreaterThanOrEqual(wanted);
  expect(images.slice(0, first.images.length)).toEqual(first.images);
  expect(more.cycles).toBeGreaterThan(result.cycles);
  // No program is run twice: each process goes on behind what it has told of.
  expect(more.next.map((next, i) => next >= result.next[i])).toEqual([true, true]);
  expect(more.programs - result.programs).toBe(
    more.next.reduce((sum, next, i) => sum + (next - result.next[i]) / more.next.length, 0),
  );
}, 120_000);

test('one that was interrupted says so, whatever it has seen', async () => {
  const controller = new AbortController();
  controller.abort();
  const { result } = await runCampaign(options(1_000_000_000, controller.signal));
  expect(result.shortfall).toBe('it was interrupted');
}, 120_000);
