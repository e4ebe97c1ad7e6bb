/** What an admin server is asked to do: a scrub and a backup of the store that it serves. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { monotonicMilliseconds } from '../../base/clock.ts';
import { SimulatedDisk } from '../../faults/simulated-disk.ts';
import { Database, restore } from '../index.ts';
import { serveAdmin } from './admin.ts';
import { Metrics } from './metrics.ts';

test('scrub and backup over HTTP, while writers go on; what is no JSON of ours is refused', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'lightning-admin-'));
  const metrics = new Metrics();
  const database = Database.openOn(metrics.counted(new SimulatedDisk(), monotonicMilliseconds));
  const admin = await serveAdmin(database, metrics, '127.0.0.1', 0);
  const post = async (path: string, body: string, type = 'application/json'): Promise<[number, unknown]> => {
    const options = { method: 'POST', body, headers: { 'content-type': type } };
    const response = await fetch(`http://127.0.0.1:${admin.port}${path}`, options);
    return [response.status, await response.json()];
  };
  try {
    for (let i = 0; i < 200; i++) database.putSync(Buffer.from(`key ${i}`), new Uint8Array(300));
    await database.compact();
    const scrubbed = post('/scrub', '{}');
    await database.put(Buffer.from('meanwhile'), new Uint8Array(10));
    expect(await scrubbed).toEqual([200, expect.objectContaining({ findings: [] })]);
    expect(database.statistics().scrubbedBytes).toBeGreaterThan(60_000);

    const to = join(directory, 'backups');
    expect(await post('/backup', JSON.stringify({ to }))).toEqual([
      200,
      expect.objectContaining({ number: 1, rows: 201 }),
    ]);
    await database.put(Buffer.from('later'), new Uint8Array(10));
    const second = await post('/backup', JSON.stringify({ to, incremental: true }));
    expect(second).toEqual([200, expect.objectContaining({ number: 2, parent: 1, rows: 202 })]);
    await restore(to, join(directory, 'restored'), { backup: 2 });

    const invalid = [400, expect.objectContaining({ code: 'LIGHTNING_INVALID_ARGUMENT' })];
    for (const body of ['', '[', '7', '{}', '{"to":7}'])
      expect([body, await post('/backup', body)]).toEqual([body, invalid]);
    // A page of another site can send this without being asked.
    expect(await post('/backup', JSON.stringify({ to }), 'text/plain')).toEqual(invalid);
    expect(readdirSync(directory).sort()).toEqual(['backups', 'restored']);
  } finally {
    await admin.close();
    await database.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
