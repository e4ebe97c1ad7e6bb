/** `lightning-db serve`: a store behind the protocol (spec/protocol.md), on standard streams or for many clients. */
import type { Command } from 'commander';
import { ManualClock, monotonicMilliseconds, systemClock } from '../base/clock.ts';
import { LightningError } from '../base/errors.ts';
import { CLOCK_START_MILLISECONDS } from '../contract/limits.ts';
import { type PresetName, PRESETS } from '../database/presets.ts';
import { parseAddress } from '../database/protocol/address.ts';
import type { Served } from '../database/protocol/client-session.ts';
import { serveSocket, serveStreams } from '../database/protocol/serve.ts';
import { openLocation } from '../database/location.ts';
import { serveAdmin } from '../database/metrics/admin.ts';
import { checkByTheClock, everyByTimer } from '../database/metrics/checks-by-the-clock.ts';
import { Metrics } from '../database/metrics/metrics.ts';
import { Database } from '../database/index.ts';
import { spaceAround } from '../vfs/node-vfs.ts';
import { packageVersion } from '../report/sources-hash.ts';
import {
  closingAfter,
  type DataFlags,
  DB_ABOUT,
  DB_FLAG,
  durabilityOption,
  JSON_FLAG,
  onePath,
  runData,
} from './data-run.ts';
import { DATA_EXIT_CODES } from './exit-codes.ts';

interface ServeFlags extends DataFlags {
  readonly stdio?: boolean;
  readonly listen?: string;
  readonly anywhere?: boolean;
  readonly admin?: string;
  readonly preset?: string;
  readonly backupTo?: string;
  readonly clockByClient?: boolean;
}

/** Resolves at the first SIGINT or SIGTERM. */
async function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

/** One line of JSON on standard error. */
function log(event: string, fields: Readonly<Record<string, unknown>> = {}): void {
  process.stderr.write(`${JSON.stringify({ time: systemClock.now(), event, ...fields })}\n`);
}

async function serve(operand: string | undefined, flags: ServeFlags): Promise<void> {
  await runData(async (output) => {
    const path = onePath(operand, flags);
    const { durability = 'commit' } = flags;
    if ((flags.stdio === true) === (flags.listen !== undefined)) {
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'say --stdio or --listen HOST:PORT');
    }
    const address = flags.listen === undefined ? undefined : parseAddress(flags.listen, flags.anywhere === true);
    const adminAddress = flags.admin === undefined ? undefined : parseAddress(flags.admin, flags.anywhere === true);
    if (flags.clockByClient === true && flags.stdio !== true)
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', '--clock-by-client goes with --stdio: one client');
    const clock = flags.clockByClient === true ? new ManualClock(CLOCK_START_MILLISECONDS) : undefined;
    const metrics = new Metrics();
    const files = metrics.counted(openLocation(path, true), monotonicMilliseconds);
    metrics.watchDisk(() => spaceAround(path));
    await closingAfter(
      Database.openOn(files, {
        durability,
        observe: metrics.observe,
        ...presetOf(flags),
        ...(clock === undefined ? {} : { clock }),
      }),
      async (database) => {
        metrics.watch(database);
        const served: Served = {
          database,
          acknowledges: durability === 'commit' ? 'synced' : 'volatile',
          version: packageVersion(),
          elapsed: monotonicMilliseconds,
          ...(flags.backupTo === undefined ? {} : { backupTo: flags.backupTo }),
          ...(clock === undefined ? {} : { clock }),
          observe: (operation, milliseconds, code) => metrics.request(operation, milliseconds, code),
        };
        const stop = interrupted();
        const admin =
          adminAddress === undefined
            ? undefined
            : await serveAdmin(database, metrics, adminAddress.host, adminAddress.port);
        const stopChecks = checkByTheClock(
          database,
          everyByTimer,
          (check, isGood, fields) => {
            metrics.check(check, isGood);
            log(check, fields);
          },
          flags.backupTo,
        );
        log('open', { path, durability, ...(admin === undefined ? {} : { admin: admin.port }) });
        try {
          if (address === undefined) {
            const failure = await Promise.race([serveStreams(served, process.stdin, process.stdout), stop]);
            process.stdin.destroy();
            if (failure !== undefined) throw failure;
            return;
          }
          const server = await serveSocket(served, address.host, address.port);
          const { host, port } = server;
          await output.line(
            flags.json === true
              ? JSON.stringify({ listen: { host, port }, ...(admin === undefined ? {} : { admin: admin.port }) })
              : `listening on ${host}:${port}`,
          );
          await output.flush();
          await stop;
          await server.close();
        } finally {
          stopChecks();
          await admin?.close();
          log('close');
        }
      },
    );
  });
}

/** The name is judged by the database. */
function presetOf({ preset }: ServeFlags): { readonly preset?: PresetName } {
  return preset === undefined ? {} : { preset: preset as PresetName };
}

/** Adds the command. */
export function addServe(program: Command): void {
  program
    .command('serve [dir]')
    .description('serve a store to other programs, in any language')
    .option(DB_FLAG, DB_ABOUT)
    .option('--stdio', 'one client, on standard input and output; its end closes the store')
    .option('--listen <address>', 'many clients, on HOST:PORT; port 0 takes a free one, which is printed')
    .option('--admin <address>', 'an HTTP server with /metrics, /health and /stats')
    .option('--preset <name>', `options for a kind of work: ${Object.keys(PRESETS).join(', ')}`)
    .option('--backup-to <dir>', 'make a backup each day, on top of the last one there, and whenever a client asks')
    .option('--clock-by-client', 'the client moves the clock, from 1,000,000 on: for a harness')
    .option('--anywhere', 'allow an address that other machines can reach (there are no passwords)')
    .addOption(durabilityOption())
    .option(JSON_FLAG, 'the address as JSON')
    .addHelpText('after', DATA_EXIT_CODES)
    .action(serve);
}
