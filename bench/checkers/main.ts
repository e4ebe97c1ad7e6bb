/**
 * `node bench/checkers/main.ts [PART...]`: how much CPU the checkers take on long and on hard histories, and how much a peer takes
 * on the same ones. Progress on standard error, the table on standard output.
 *
 * Parts: registers, general, isolation, reading; all of them when none is named.
 *
 *   --quick      small sizes, for trying
 *   --json FILE  writes the figures as JSON, too
 *   --peer FILE  a program of somebody else's: started with the path of a history and `keys` or `whole` (may it be taken
 *                apart by key?), it prints `valid` or `invalid` and the milliseconds of CPU that the check took
 *   --peer-seconds N  CPU after which it is undecided; 30 by default
 *
 * A history for the peer has one operation a line: client, `read` or `write`, key, value (`-`: nothing), call, return.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { cpuSeconds, systemClock } from '../../src/base/clock.ts';
import { Prng } from '../../src/base/prng.ts';
import {
  checkIsolation,
  checkLinearizability,
  decodeColumns,
  encodeColumns,
  parseHistory,
} from '../../src/checkers/index.ts';
import { searchCells } from '../../src/checkers/linearizability.ts';
import { type HistoryColumns, valueOf } from '../../src/history/columns.ts';
import { operationAt } from '../../src/history/columns-of.ts';
import { formatEvents } from '../../src/history/ndjson.ts';
import { eventOfCall, eventOfReturn, type HistoryEvent } from '../../src/history/events.ts';
import { removeTree, writeWhole } from '../../src/report/files.ts';
import { singleKeyHistory, transactionHistory } from './histories.ts';

/** Past so much CPU a peer is undecided, when nothing else is said. */
const PEER_CPU_SECONDS_MAX = '30';
const BUDGET = { stepsMax: 300_000_000, statesMax: 20_000_000 };

interface Figure {
  readonly name: string;
  readonly operations: number;
  readonly verdict: string;
  readonly cpuMilliseconds: number;
  readonly peerVerdict?: string;
  readonly peerCpuMilliseconds?: number;
  /** Of the whole process, largest so far. */
  readonly memoryMegabytes: number;
}

/** Least CPU of some runs: what the check takes, without what else the machine does. */
function least(runs: number, work: () => string): { readonly verdict: string; readonly cpuMilliseconds: number } {
  let [verdict, best] = ['', Infinity];
  for (let run = 0; run < runs; run++) {
    const before = cpuSeconds();
    verdict = work();
    best = Math.min(best, 1000 * (cpuSeconds() - before));
  }
  return { verdict, cpuMilliseconds: best };
}

function linesFor({
  count,
  client,
  what,
  key,
  keys,
  cell,
  call,
  return: ends,
  first,
  ...columns
}: HistoryColumns): string {
  const whole = { count, client, what, key, keys, cell, call, return: ends, first, ...columns };
  const lines = Array.from({ length: count }, (_, i) => {
    const a = first[i];
    const kind = what[a] === 0 ? 'read' : 'write';
    return `${client[i]} ${kind} ${keys.at(key[a])} ${valueOf(whole, cell[a]) ?? '-'} ${call[i]} ${ends[i]}\n`;
  });
  return lines.join('');
}

class Bench {
  readonly figures: Figure[] = [];
  private readonly peer: string | undefined;
  private readonly peerCpuSeconds: number;

  constructor(peer: string | undefined, peerCpuSeconds: number) {
    this.peer = peer;
    this.peerCpuSeconds = peerCpuSeconds;
  }

  measure(name: string, operations: number, runs: number, work: () => string, peer: Partial<Figure> = {}): void {
    const memoryMegabytes = Math.round(process.resourceUsage().maxRSS / 1024);
    const figure = { name, operations, ...least(runs, work), ...peer, memoryMegabytes };
    this.figures.push({ ...figure, memoryMegabytes: Math.round(process.resourceUsage().maxRSS / 1024) });
    process.stderr.write(`${JSON.stringify(figure)}\n`);
  }

  /** Asks the peer, thrice. */
  peerOn(columns: HistoryColumns, how: 'keys' | 'whole'): Partial<Figure> {
    if (this.peer === undefined) return {};
    const file = `reports/runs/peer-${process.pid}.txt`;
    writeWhole(file, linesFor(columns));
    let peerVerdict = 'undecided';
    let peerCpuMilliseconds = Infinity;
    for (let run = 0; run < 3; run++) {
      const limited = ['-c', `ulimit -t ${this.peerCpuSeconds}; exec "$0" "$@"`, this.peer, file, how];
      const { stdout, status } = spawnSync('sh', limited, { encoding: 'utf8' });
      const [verdict, milliseconds] = stdout.trim().split(' ');
      if (status !== 0) break;
      peerVerdict = verdict;
      peerCpuMilliseconds = Math.min(peerCpuMilliseconds, Number(milliseconds));
    }
    removeTree(file);
    return Number.isFinite(peerCpuMilliseconds) ? { peerVerdict, peerCpuMilliseconds } : { peerVerdict };
  }
}

function registers(bench: Bench, quick: boolean): void {
  const shape = { clients: 20, keys: 10, writeShare: 0.5, deleteShare: 0, values: 0 };
  const long = singleKeyHistory(new Prng(5), { ...shape, operations: quick ? 20_000 : 1_000_000 });
  bench.measure('registers, 20 clients on 10 keys', long.count, 3, () => checkLinearizability(long).verdict);
  for (const keys of [1, 10]) {
    const both = singleKeyHistory(new Prng(6), {
      ...shape,
      keys,
      clients: keys === 1 ? 5 : 20,
      operations: quick ? 500 : 20_000,
    });
    const name = `registers beside the peer, ${keys === 1 ? 5 : 20} clients, ${keys} keys`;
    bench.measure(name, both.count, 60, () => checkLinearizability(both).verdict, bench.peerOn(both, 'keys'));
  }
}

function general(bench: Bench, quick: boolean): void {
  for (const [clients, keys, operations] of [
    [5, 5, 400],
    [10, 5, 400],
    [20, 1, 500],
  ] as const) {
    for (const staleReads of [0, 1]) {
      const count = quick ? 100 : operations;
      const shape = { operations: count, clients, keys, writeShare: 0.5, deleteShare: 0.1, values: 0, staleReads };
      const columns = singleKeyHistory(new Prng(7), shape);
      const name = `search as a whole, ${clients} clients, ${keys} keys, ${staleReads === 1 ? 'a stale read' : 'valid'}`;
      bench.measure(name, count, 60, () => searchCells(columns, BUDGET).verdict, bench.peerOn(columns, 'whole'));
    }
  }
}

function isolation(bench: Bench, quick: boolean): void {
  for (const count of quick ? [5_000] : [100_000, 1_000_000]) {
    // Each with the level that it is asked for, and the one that it must not be of.
    for (const [level, refuted, validates, keys] of [
      ['serializable', 'none', 'reads', count / 5],
      ['snapshot-isolation', 'none', 'writes', count / 5],
      ['snapshot-isolation', 'serializable', 'writes', count / 50],
    ] as const) {
      const shape = { transactions: count, clients: 20, keys, reads: 5, writes: 3, validates };
      const columns = transactionHistory(new Prng(5), shape);
      const work = (): string => {
        const { levels } = checkIsolation(columns);
        return refuted === 'none' || levels[refuted] === 'refuted' ? levels[level] : `${refuted} ${levels[refuted]}`;
      };
      const skewed = refuted === 'none' ? '' : ' with write skew';
      bench.measure(`${level}${skewed}, transactions of 8 accesses`, count, count > 100_000 ? 2 : 5, work);
    }
  }
}

function reading(bench: Bench, quick: boolean): void {
  const count = quick ? 10_000 : 500_000;
  const shape = { operations: count, clients: 20, keys: 10, writeShare: 0.5, deleteShare: 0, values: 0 };
  const columns = singleKeyHistory(new Prng(5), shape);
  const bytes = encodeColumns(columns);
  bench.measure('reading the binary form', count, 5, () => String(decodeColumns(bytes).count));
  const events: [number, HistoryEvent][] = [];
  for (let place = 0; place < count; place++) {
    const { id, client, kind, reads, writes, call, return: end } = operationAt(columns, place);
    events.push([call, eventOfCall(id, client, kind, writes, call)], [end, eventOfReturn(id, 'ok', reads, {}, end)]);
  }
  events.sort(([a], [b]) => a - b);
  const text = formatEvents(events.map(([, event]) => event));
  bench.measure('reading lines of JSON', count, 3, () => String(parseHistory(text).operations.length));
}

function tableOf(figures: readonly Figure[]): string {
  const lines = figures.map((figure) => {
    const { name, operations, verdict, cpuMilliseconds: own, peerVerdict, peerCpuMilliseconds: peer } = figure;
    const rate = `${Math.round(operations / own)} k/s`;
    const beside =
      peerVerdict === undefined
        ? ''
        : peer === undefined
          ? `  peer ${peerVerdict}`
          : `  peer ${peerVerdict} ${peer.toFixed(1)} ms, ${(peer / own).toFixed(1)} times`;
    return `${name.padEnd(58)} ${String(operations).padStart(8)}  ${verdict} ${own.toFixed(1)} ms, ${rate}${beside}`;
  });
  return lines.join('\n');
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean' },
    json: { type: 'string' },
    peer: { type: 'string' },
    'peer-seconds': { type: 'string', default: PEER_CPU_SECONDS_MAX },
  },
});
const bench = new Bench(values.peer, Number(values['peer-seconds']));
const quick = values.quick === true;
const PARTS = { registers, general, isolation, reading };
for (const [name, part] of Object.entries(PARTS)) {
  if (positionals.length === 0 || positionals.includes(name)) part(bench, quick);
}
const date = new Date(systemClock.now()).toISOString().slice(0, 10);
const parts = positionals.map((part) => ` ${part}`).join('');
const command = `node bench/checkers/main.ts${parts}${quick ? ' --quick' : ''}${values.peer === undefined ? '' : ` --peer PROGRAM --peer-seconds ${values['peer-seconds']}`}`;
const body = { format: 1, date, command, node: process.version, figures: bench.figures };
if (values.json !== undefined) writeWhole(values.json, `${JSON.stringify(body, undefined, 2)}\n`);
process.stdout.write(`${tableOf(bench.figures)}\n`);
