/** The admin server, and that every figure the dashboard and the alerts name is exported. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { monotonicMilliseconds } from '../../base/clock.ts';
import { spaceAround } from '../../vfs/node-vfs.ts';
import { Database } from '../database.ts';
import { openLocation } from '../location.ts';
import { type AdminServer, serveAdmin } from './admin.ts';
import { Metrics } from './metrics.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function withAdmin(
  work: (
    ask: (path: string) => Promise<Response>,
    database: Database,
    metrics: Metrics,
    admin: AdminServer,
  ) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'lightning-metrics-'));
  const metrics = new Metrics();
  const files = metrics.counted(openLocation(join(directory, 'db'), true), monotonicMilliseconds);
  const database = Database.openOn(files, { observe: metrics.observe });
  metrics.watchDisk(() => spaceAround(directory));
  metrics.watch(database);
  const admin = await serveAdmin(database, metrics, '127.0.0.1', 0);
  try {
    await work((path) => fetch(`http://127.0.0.1:${admin.port}${path}`), database, metrics, admin);
  } finally {
    await admin.close();
    await database.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

test('metrics, health and statistics tell what happened', async () => {
  await withAdmin(async (ask, database, metrics, admin) => {
    await database.put(bytes('a'), bytes('1'));
    database.putSync(bytes('b'), bytes('2'));
    metrics.request('get', 20, undefined);
    metrics.request('put', 1, 'LIGHTNING_CONFLICT');
    const text = await (await ask('/metrics')).text();
    expect(text).toMatch(/^lightning_commits 2$/m);
    expect(text).toMatch(/^lightning_syncs 2$/m);
    expect(text).toMatch(/^lightning_engine_steps_total\{step="append"\} 2$/m);
    expect(text).toContain('lightning_request_seconds_bucket{le="0.01",operation="get",kind="read"} 0');
    expect(text).toContain('lightning_request_seconds_bucket{le="0.025",operation="get",kind="read"} 1');
    expect(text).toContain('lightning_request_errors_total{code="LIGHTNING_CONFLICT"} 1');
    expect(await (await ask('/stats')).json()).toMatchObject({ commits: 2, published: 2 });
    expect(await (await ask('/health')).json()).toEqual({ healthy: true });
    expect((await ask('/no-such')).status).toBe(404);
    await expect(serveAdmin(database, metrics, '127.0.0.1', admin.port)).rejects.toMatchObject({
      code: 'LIGHTNING_LOCKED',
    });
    await database.close();
    const closed = await ask('/health');
    expect([closed.status, await closed.json()]).toMatchObject([503, { healthy: false, code: 'LIGHTNING_CLOSED' }]);
  });
});

test('disk I/O, the space of the disk, and waits for locks', async () => {
  await withAdmin(async (ask, database) => {
    const figure = async (name: string): Promise<number> => {
      const text = await (await ask('/metrics')).text();
      return Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.slice(name.length) ?? NaN,
      );
    };
    const written = await figure('lightning_disk_bytes_total{call="write"}');
    const syncs = await figure('lightning_disk_calls_total{call="sync"}');
    await database.put(bytes('a'), bytes('v'.repeat(10_000)), { sync: true });
    expect((await figure('lightning_disk_bytes_total{call="write"}')) - written).toBeGreaterThan(10_000);
    expect((await figure('lightning_disk_calls_total{call="sync"}')) - syncs).toBe(1);
    expect(await figure('lightning_disk_sync_seconds_count')).toBe(syncs + 1);
    await database.compact();
    database.clearCache();
    const read = await figure('lightning_disk_bytes_total{call="read"}');
    expect((await database.get(bytes('a')))?.length).toBe(10_000);
    expect(await figure('lightning_disk_bytes_total{call="read"}')).toBeGreaterThan(read);
    const [size, free] = [await figure('lightning_disk_size_bytes'), await figure('lightning_disk_free_bytes')];
    expect(size).toBeGreaterThan(free);
    expect(free).toBeGreaterThanOrEqual(0);

    const [first, second] = [database.begin(), database.begin()];
    await first.getForUpdate(bytes('a'));
    const waiting = second.getForUpdate(bytes('a'));
    expect(await figure('lightning_lock_waiters')).toBe(1);
    expect(await figure('lightning_lock_wait_milliseconds')).toBe(0);
    first.abort();
    await waiting;
    expect(await figure('lightning_lock_waits')).toBe(1);
    expect(await figure('lightning_lock_waiters')).toBe(0);
    expect(await figure('lightning_lock_wait_milliseconds')).toBeGreaterThan(0);
    second.abort();
  });
});

test('the first failed check is an increase: every check is counted from zero on', async () => {
  await withAdmin(async (ask, _, metrics) => {
    const bad = /^lightning_checks_total\{check="integrity",result="bad"\} (\d+)$/m;
    expect(bad.exec(await (await ask('/metrics')).text())?.[1]).toBe('0');
    metrics.check('integrity', false);
    expect(bad.exec(await (await ask('/metrics')).text())?.[1]).toBe('1');
  });
});

test('large values are counted: written, given up, and their bytes', async () => {
  await withAdmin(async (ask, database) => {
    const figures = async (): Promise<number[]> => {
      const text = await (await ask('/metrics')).text();
      return [...text.matchAll(/^lightning_blob\w* (\d+)$/gm)].map(([, value]) => Number(value));
    };
    expect(await figures()).toEqual([0, 0, 0, 0]);
    await database.put(bytes('a'), new Uint8Array(100_000));
    expect(await figures()).toEqual([1, 100_000, 0, 0]);
    await database.put(bytes('a'), bytes('small'));
    await database.compact();
    expect(await figures()).toEqual([1, 100_000, 1, 100_000]);
  });
});

const isPromtoolMissing = spawnSync('promtool', ['--version']).status !== 0;
test.skipIf(isPromtoolMissing)('the alerts in Prometheus', () => {
  const rules = fileURLToPath(new URL('alerts.test.yml', import.meta.url));
  const { stdout, stderr, status } = spawnSync('promtool', ['test', 'rules', rules], { encoding: 'utf8' });
  expect([status, stderr, stdout]).toEqual([0, '', expect.stringContaining('SUCCESS')]);
});

test('every threshold of the alerts is the one that was asked for', () => {
  const alerts = readFileSync(new URL('alerts.yml', import.meta.url), 'utf8');
  const thresholds = [...alerts.matchAll(/alert: (\w+)\n +expr: .* > ([\d.* ]+)\n/g)].map(([, name, value]) => [
    name,
    value,
  ]);
  expect(thresholds).toEqual([
    ['LightningMemoryGrowth', '100 * 1024 * 1024'],
    ['LightningErrorRate', '0.001'],
    ['LightningSlowReads', '0.01'],
    ['LightningSlowWrites', '0.1'],
    ['LightningDiskFull', '0.9'],
    ['LightningCheckFailed', '0'],
  ]);
});

test('every figure of the dashboard and of the alerts is exported', async () => {
  await withAdmin(async (ask, _, metrics) => {
    metrics.request('get', 1, 'LIGHTNING_IO');
    metrics.check('health', true);
    const exported = new Set(
      [...(await (await ask('/metrics')).text()).matchAll(/^(lightning_\w+)/gm)].map(([name]) => name),
    );
    for (const file of ['grafana.json', 'alerts.yml']) {
      const text = readFileSync(new URL(file, import.meta.url), 'utf8');
      const named = [...text.matchAll(/\blightning_\w+/g)].map(([name]) => name);
      expect(named.length).toBeGreaterThan(4);
      expect(
        named.filter((name) => !exported.has(name)),
        file,
      ).toEqual([]);
    }
    expect(exported.has('lightning_no_such')).toBe(false);
  });
});
