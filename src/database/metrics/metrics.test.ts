/** The admin server, and that every figure the dashboard and the alerts name is exported. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Database } from '../database.ts';
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
  const database = Database.openSync(join(directory, 'db'), { observe: metrics.observe });
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
    metrics.request('get', 20, undefined);
    metrics.request('put', 1, 'LIGHTNING_CONFLICT');
    const text = await (await ask('/metrics')).text();
    expect(text).toMatch(/^lightning_commits 1$/m);
    expect(text).toMatch(/^lightning_engine_steps_total\{step="append"\} 1$/m);
    expect(text).toContain('lightning_request_seconds_bucket{le="0.01",operation="get",kind="read"} 0');
    expect(text).toContain('lightning_request_seconds_bucket{le="0.025",operation="get",kind="read"} 1');
    expect(text).toContain('lightning_request_errors_total{code="LIGHTNING_CONFLICT"} 1');
    expect(await (await ask('/stats')).json()).toMatchObject({ commits: 1, published: 1 });
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
