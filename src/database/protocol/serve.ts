/**
 * The protocol on a pair of streams, and on a socket for many clients (spec/protocol.md).
 *
 * A client that sends faster than it is answered, or that does not read its answers, is read no further until it catches
 * up, so its memory here is bounded: the requests under way, one frame in, and the answers the socket holds.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { errnoOf, isLightningError, LightningError } from '../../base/errors.ts';
import { ClientSession, errorAnswer, type Served } from './client-session.ts';
import { CLIENTS_MAX, frameOf, LineSplitter, PENDING_REQUESTS_MAX } from './frames.ts';

/** Answers that wait to be read before a client is read no further. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;
/** How long a client whose connection is ended may take to read its last answer. */
const LINGER_MILLISECONDS = 1000;

/**
 * Serves one client until its input ends. Its transactions are rolled back then; requests under way are waited for.
 * @returns why it ended: `undefined` for the end of the input, else the coded error that the client was told
 */
export async function serveStreams(
  served: Served,
  input: Readable,
  output: Writable,
  frameBytesMax?: number,
): Promise<LightningError | undefined> {
  const splitter = new LineSplitter(frameBytesMax);
  const underWay = new Set<Promise<void>>();
  let wake: (() => void) | undefined;
  const isBehind = (): boolean => session.pending >= PENDING_REQUESTS_MAX || output.writableLength > UNREAD_BYTES_MAX;
  const notify = (): void => {
    wake?.();
    wake = undefined;
  };
  const session = new ClientSession(served, (answer) => {
    if (output.writable) output.write(frameOf(answer));
  });
  output.on('drain', notify).on('close', notify);
  // The other side may leave at any time; that shows as the end of the input.
  output.on('error', notify);
  let failure: LightningError | undefined;
  try {
    for await (const chunk of input.iterator({ destroyOnReturn: false })) {
      for (const line of splitter.push(Buffer.from(chunk as Uint8Array))) {
        const request: Promise<void> = session.take(line).finally(() => {
          underWay.delete(request);
          notify();
        });
        underWay.add(request);
        while (isBehind() && output.writable) await new Promise<void>((resolve) => (wake = resolve));
      }
    }
    await Promise.all(underWay);
  } catch (error) {
    // A lost connection ends the client without a word; a frame that is too long is told before the end.
    if (errnoOf(error) === undefined) {
      failure = isLightningError(error)
        ? error
        : new LightningError('LIGHTNING_ASSERTION', 'the server failed', {}, error);
      if (output.writable) output.write(frameOf({ id: null, ...errorAnswer(failure) }));
    }
  } finally {
    session.end();
  }
  return failure;
}

/** A server on a socket. */
export interface SocketServer {
  readonly host: string;
  readonly port: number;
  /** Clients connected now. */
  readonly clientCount: number;
  /** Takes no more clients, drops those there are (their transactions are rolled back), and lets go of the port. */
  close(): Promise<void>;
}

/**
 * Listens. The database stays the caller's: close it after the server.
 * @param port 0 for a free one
 * @throws (rejects) LightningError `LIGHTNING_LOCKED` for a port that is taken, `LIGHTNING_PERMISSION`, `LIGHTNING_IO`
 */
export async function serveSocket(served: Served, host: string, port: number): Promise<SocketServer> {
  const sockets = new Map<Socket, Promise<unknown>>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.setNoDelay(true);
    if (sockets.size >= CLIENTS_MAX) {
      const refusal = new LightningError('LIGHTNING_LIMIT', `at most ${CLIENTS_MAX} clients`);
      socket.on('error', () => socket.destroy());
      socket.end(frameOf({ id: null, ...errorAnswer(refusal) }));
      return;
    }
    const ended = serveStreams(served, socket, socket).finally(() => {
      sockets.delete(socket);
      letGo(socket);
    });
    sockets.set(socket, ended);
  });
  const address = await listening(server, host, port);
  return {
    host,
    port: address,
    get clientCount(): number {
      return sockets.size;
    },
    async close(): Promise<void> {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets.keys()) socket.destroy();
      await Promise.all([...sockets.values(), closed]);
    },
  };
}

/** Ends a socket; what still comes in is thrown away, so that the last answer is not lost with it. */
function letGo(socket: Socket): void {
  if (socket.destroyed) return;
  socket.resume();
  socket.end();
  setTimeout(() => socket.destroy(), LINGER_MILLISECONDS).unref();
}

/** Starts to listen. @returns the port @throws (rejects) LightningError as {@link serveSocket} */
export async function listening(server: Server, host: string, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error): void => reject(listenError(error, host, port));
    server.once('error', refuse);
    server.listen({ host, port }, () => {
      server.off('error', refuse);
      resolve();
    });
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

function listenError(error: Error, host: string, port: number): LightningError {
  const errno = errnoOf(error);
  const place = `${host}:${port}`;
  if (errno === 'EADDRINUSE') return new LightningError('LIGHTNING_LOCKED', `${place} is taken`, { errno }, error);
  const code = errno === 'EACCES' ? 'LIGHTNING_PERMISSION' : 'LIGHTNING_IO';
  return new LightningError(code, `cannot listen on ${place}: ${errno ?? error.message}`, { errno }, error);
}
