/** The admin server: `/metrics`, `/health` and `/stats` over HTTP; a POST to `/clear-cache` changes memory, and nothing else is changed. */
import { createServer } from 'node:http';
import { isLightningError } from '../../base/errors.ts';
import type { Database } from '../database.ts';
import { listening } from '../protocol/serve.ts';
import type { Metrics } from './metrics.ts';

/** Whether a database takes reads and writes, and why not. */
export interface Health {
  readonly healthy: boolean;
  readonly code?: string;
  readonly message?: string;
}

/** Asks the database; costs no I/O. A poisoned or closed one is not healthy. */
export function healthOf(database: Database): Health {
  try {
    database.statistics();
    return { healthy: true };
  } catch (error) {
    if (!isLightningError(error)) throw error;
    return { healthy: false, code: error.code, message: error.message };
  }
}

type Answer = readonly [status: number, type: string, body: string];

function clearCache(database: Database): Answer {
  const health = healthOf(database);
  if (!health.healthy) return [503, 'application/json', JSON.stringify(health)];
  const { cacheBytes } = database.statistics();
  database.clearCache();
  return [200, 'application/json', JSON.stringify({ clearedBytes: cacheBytes })];
}

/** A running admin server. */
export interface AdminServer extends AsyncDisposable {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves the figures.
 * @throws (rejects) LightningError `LIGHTNING_LOCKED` for a port that is taken, `LIGHTNING_PERMISSION`, `LIGHTNING_IO`
 */
export async function serveAdmin(
  database: Database,
  metrics: Metrics,
  host: string,
  port: number,
): Promise<AdminServer> {
  const answer = async (path: string): Promise<Answer> => {
    if (path === '/metrics') return [200, metrics.registry.contentType, await metrics.registry.metrics()];
    const health = healthOf(database);
    if (path === '/health') return [health.healthy ? 200 : 503, 'application/json', JSON.stringify(health)];
    if (path !== '/stats') return [404, 'text/plain', 'there are /metrics, /health and /stats\n'];
    if (!health.healthy) return [503, 'application/json', JSON.stringify(health)];
    return [200, 'application/json', JSON.stringify(database.statistics())];
  };
  const server = createServer((request, response) => {
    const send = ([status, type, body]: Answer): void => {
      response.writeHead(status, { 'content-type': type, connection: 'close' }).end(body);
    };
    const [path] = (request.url ?? '').split('?');
    if (request.method === 'POST' && path === '/clear-cache') return send(clearCache(database));
    if (request.method !== 'GET') return send([405, 'text/plain', 'only GET, but for /clear-cache POST\n']);
    answer(path).then(send, () => send([500, 'text/plain', 'the server failed\n']));
  });
  const taken = await listening(server, host, port);
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  return { port: taken, close, [Symbol.asyncDispose]: close };
}
