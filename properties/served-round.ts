/**
 * Several processes on one store, through `lightning-db serve --listen`: their registers must be linearizable, their
 * transactions strongly snapshot isolated, and a stale read among them must not go unnoticed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { LightningError } from '../src/base/errors.ts';
import {
  checkIsolationLevel,
  checkLinearizability,
  type HistoryColumns,
  type HistoryVerdict,
} from '../src/checkers/index.ts';
import { ColumnsBuilder } from '../src/history/columns.ts';
import { sourceExtension, sourceRoot } from '../src/report/sources-hash.ts';
import type { ServedOperation } from './served-child.ts';

const [PROCESSES, CLIENTS] = [3, 2];
/** A program of these sources, in the form that runs. */
const program = (path: string): string => join(sourceRoot, `${path}${sourceExtension}`);

async function linesOf(child: ChildProcess): Promise<string[]> {
  const lines: string[] = [];
  if (child.stdout !== null) for await (const line of createInterface({ input: child.stdout })) lines.push(line);
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once('exit', resolve)));
  if (code !== 0) throw new LightningError('LIGHTNING_IO', `a client's process ended with ${String(code)}`);
  return lines;
}

/** Runs the processes on a store in a folder. @returns what they did, in the order of their calls */
export async function runServed(folder: string, operations: number, seed: number): Promise<readonly ServedOperation[]> {
  const server = spawn(
    process.execPath,
    [program('src/cli/main'), 'serve', folder, '--listen', '127.0.0.1:0', '--json'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  try {
    const port = await new Promise<number>((resolve, reject) => {
      createInterface({ input: server.stdout }).once('line', (line) => {
        resolve((JSON.parse(line) as { readonly listen: { readonly port: number } }).listen.port);
      });
      server.once('exit', (code) =>
        reject(new LightningError('LIGHTNING_IO', `the server ended with ${String(code)}`)),
      );
    });
    const children = Array.from({ length: PROCESSES }, (_, number) =>
      spawn(
        process.execPath,
        [program('properties/served-child'), ...[port, number, CLIENTS, operations, seed + number].map(String)],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      ),
    );
    const lines = (await Promise.all(children.map(linesOf))).flat();
    const done = lines.map((line) => JSON.parse(line) as ServedOperation);
    return done.sort((a, b) => Number(BigInt(a.call) - BigInt(b.call)));
  } finally {
    server.kill('SIGTERM');
  }
}

/** The operations of some kinds as a history; events are their moments, none at once with another. */
export function historyOfServed(
  done: readonly ServedOperation[],
  kinds: readonly ServedOperation['kind'][],
): HistoryColumns {
  const wanted = done.filter(({ kind }) => kinds.includes(kind));
  const start = wanted.length === 0 ? 0n : BigInt(wanted[0].call);
  // A call and a return at one nanosecond overlap: calls come first.
  const at = (time: string, isReturn: 0 | 1): number => 2 * Number(BigInt(time) - start) + isReturn;
  const builder = new ColumnsBuilder();
  wanted.forEach(({ client, kind, outcome, call, return: end, accesses }, id) => {
    builder.begin({ id, client, kind, outcome, call: at(call, 0), return: at(end, 1) });
    for (const access of accesses) builder.access(access);
  });
  return builder.build();
}

/** Both verdicts of what several processes did. */
export function judgeServed(done: readonly ServedOperation[]): readonly HistoryVerdict[] {
  return [
    checkLinearizability(historyOfServed(done, ['read', 'write'])),
    checkIsolationLevel(historyOfServed(done, ['transaction']), 'strong-snapshot-isolation'),
  ];
}

/** The same with the last read of a value replaced by what its key held at first, which everybody has since overwritten. */
export function withStaleReads(done: readonly ServedOperation[]): readonly ServedOperation[] {
  const stale = new Set(['read', 'transaction'].map((kind) => done.findLastIndex((one) => one.kind === kind)));
  return done.map((one, i) => {
    if (!stale.has(i)) return one;
    const accesses = one.accesses.map((access) => (access.kind === 'read' ? { ...access, value: null } : access));
    return { ...one, accesses };
  });
}

/** How many operations one overlaps that are of another process, on average. */
export function overlapOfServed(done: readonly ServedOperation[]): number {
  const times = done.map(({ client, call, return: end }) => ({
    process: Math.floor(client / CLIENTS),
    call: Number(BigInt(call) - BigInt(done[0].call)),
    end: Number(BigInt(end) - BigInt(done[0].call)),
  }));
  let overlaps = 0;
  for (const one of times) {
    for (const other of times) {
      if (other.process !== one.process && other.call < one.end && other.end > one.call) overlaps++;
    }
  }
  return overlaps / Math.max(1, times.length);
}
