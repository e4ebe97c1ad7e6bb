/** `lightning-db serve`: a store behind the protocol (spec/protocol.md), on standard streams or for many clients. */
import type { Command } from 'commander';
import { monotonicMilliseconds } from '../base/clock.ts';
import { LightningError } from '../base/errors.ts';
import { parseAddress } from '../database/protocol/address.ts';
import type { Served } from '../database/protocol/client-session.ts';
import { serveSocket, serveStreams } from '../database/protocol/serve.ts';
import { packageVersion } from '../report/sources-hash.ts';
import {
  type DataFlags,
  DB_ABOUT,
  DB_FLAG,
  durabilityOption,
  JSON_FLAG,
  onePath,
  runData,
  withDatabase,
} from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';

interface ServeFlags extends DataFlags {
  readonly stdio?: boolean;
  readonly listen?: string;
  readonly anywhere?: boolean;
}

/** Resolves at the first SIGINT or SIGTERM. */
async function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

async function serve(operand: string | undefined, flags: ServeFlags): Promise<void> {
  await runData(async (output) => {
    const path = onePath(operand, flags);
    const { durability = 'commit' } = flags;
    if ((flags.stdio === true) === (flags.listen !== undefined)) {
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'say --stdio or --listen HOST:PORT');
    }
    const address = flags.listen === undefined ? undefined : parseAddress(flags.listen, flags.anywhere === true);
    await withDatabase(path, { durability }, async (database) => {
      const served: Served = {
        database,
        acknowledges: durability === 'commit' ? 'synced' : 'volatile',
        version: packageVersion(),
        elapsed: monotonicMilliseconds,
      };
      const stop = interrupted();
      if (address === undefined) {
        const failure = await Promise.race([serveStreams(served, process.stdin, process.stdout), stop]);
        process.stdin.destroy();
        if (failure !== undefined) throw failure;
        return;
      }
      const server = await serveSocket(served, address.host, address.port);
      const { host, port } = server;
      await output.line(
        flags.json === true ? JSON.stringify({ listen: { host, port } }) : `listening on ${host}:${port}`,
      );
      await output.flush();
      await stop;
      await server.close();
    });
  });
}

/** Adds the command. */
export function addServe(program: Command): void {
  program
    .command('serve [dir]')
    .description('serve a store to other programs, in any language')
    .option(DB_FLAG, DB_ABOUT)
    .option('--stdio', 'one client, on standard input and output; its end closes the store')
    .option('--listen <address>', 'many clients, on HOST:PORT; port 0 takes a free one, which is printed')
    .option('--anywhere', 'allow an address that other machines can reach (there are no passwords)')
    .addOption(durabilityOption())
    .option(JSON_FLAG, 'the address as JSON')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(serve);
}
