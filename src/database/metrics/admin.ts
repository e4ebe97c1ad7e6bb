/**
 * The admin server: `/metrics`, `/health` and `/stats` over HTTP. POST to `/clear-cache` forgets what is cached, `/scrub` reads
 * every byte on disk, `/backup` makes a backup in the folder that its JSON names. A POST has to say that it is JSON: pages
 * of other sites cannot, unless a server allows it.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { isLightningError, LightningError } from '../../base/errors.ts';
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

const BODY_BYTES_MAX = 64 * 1024;

/** Carries out what takes its time. A connection that is given up leaves a scrub, not a backup. */
async function work(database: Database, path: '/scrub' | '/backup', request: IncomingMessage): Promise<Answer> {
  const fields = await bodyOf(request);
  if (path === '/scrub') {
    const abort = new AbortController();
    request.socket.once('close', () => abort.abort());
    return [200, 'application/json', JSON.stringify(await database.scrub({ signal: abort.signal }))];
  }
  const { to, incremental } = fields;
  if (typeof to !== 'string') throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a backup is made `to` a folder');
  const report = await database.backup(to, { incremental: incremental === true });
  return [200, 'application/json', JSON.stringify(report)];
}

async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  if (request.headers['content-type'] !== 'application/json')
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'the content type has to be application/json');
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > BODY_BYTES_MAX) throw new LightningError('LIGHTNING_LIMIT', 'the request is too long');
  }
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) return Object.fromEntries(Object.entries(body));
  } catch (error) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'the request is no JSON', {}, error);
  }
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'the request is no object');
}

function refusal(error: unknown): Answer {
  if (!isLightningError(error)) return [500, 'text/plain', 'the server failed\n'];
  const status = error.code === 'LIGHTNING_INVALID_ARGUMENT' ? 400 : 503;
  return [status, 'application/json', JSON.stringify({ code: error.code, message: error.message })];
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
    if (request.method === 'POST' && (path === '/scrub' || path === '/backup')) {
      work(database, path, request).then(send, (error: unknown) => send(refusal(error)));
      return;
    }
    if (request.method !== 'GET')
      return send([405, 'text/plain', 'only GET, but for POST to /clear-cache, /scrub and /backup\n']);
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
