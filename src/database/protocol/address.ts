/** `HOST:PORT` of the command line, and which hosts are this machine alone. */
import { LightningError } from '../../base/errors.ts';

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/**
 * Reads `PORT`, `HOST:PORT` or `[IPv6]:PORT`; the host is 127.0.0.1 where none is given.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for what is no port from 0 to 65535, or a host that others can reach
 *   unless `anywhere`
 */
export function parseAddress(text: string, anywhere: boolean): Address {
  const parts = /^(?:(?:\[([0-9a-fA-F:]+)\]|([^\s:[\]]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3] ?? NaN);
  if (parts === null || !(port <= 65_535)) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${text} is not HOST:PORT with a port from 0 to 65535`);
  }
  const host = parts[1] ?? parts[2] ?? '127.0.0.1';
  if (!anywhere && !isLoopback(host)) {
    throw new LightningError(
      'LIGHTNING_INVALID_ARGUMENT',
      `${host} can be reached by other machines, and the protocol knows no passwords; say --anywhere if that is meant`,
    );
  }
  return { host, port };
}
