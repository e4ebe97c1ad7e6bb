/** The result of a run as text. */
import type { BulkLoad } from './bulk.ts';
import type { Figure, Spread, Target } from './figures.ts';
import type { RecoveryFigure } from './recovery.ts';
import type { BenchResult } from './run.ts';

/** Rows as columns of equal width, the first one left-aligned. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function ratio({ median, min, max }: Spread): string {
  return `${short(median)}× (${short(min)}–${short(max)})`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

/** The whole report. */
export function tableOf(result: BenchResult): string {
  return [
    heading(result),
    cpuTable(result),
    durableTable(result),
    bulkTable('ascending', result.bulk.ascending),
    bulkTable('random', result.bulk.random),
    recoveryLines(result),
    targetLines(result.targets),
  ].join('\n\n');
}

function heading({ plan, machine, engines }: BenchResult): string {
  const { medium } = machine;
  const lines = [
    `bench (${plan.name}): ${machine.processor}, ${machine.cores} cores, ${machine.system}, node ${machine.node}, load ${machine.loadBefore.toFixed(1)} before`,
    `medium: ${medium.fileSystem} on ${medium.device}; 16-byte keys, 100-byte values, cache ${megabytes(plan.cacheBytes)} MB`,
  ];
  for (const { name, version, absent } of engines) {
    lines.push(absent === undefined ? `  ${name} ${version ?? ''}` : `  ${name} is absent: ${absent}`);
  }
  return lines.join('\n');
}

function cpuTable({ ours, figures }: BenchResult): string {
  const names = Object.keys(figures[0].engines);
  const head = [
    'CPU µs an operation',
    ...names,
    ...names.filter((name) => name !== ours).map((name) => `over ${name}`),
  ];
  const cell = (figure: Figure, name: string): string => {
    const found = figure.engines[name];
    return found === undefined ? '–' : short(found.median);
  };
  const rows = figures.map((figure) => [
    figure.title,
    ...names.map((name) => cell(figure, name)),
    ...names
      .filter((name) => name !== ours)
      .map((name) => (figure.peerOverOurs[name] === undefined ? '–' : ratio(figure.peerOverOurs[name]))),
  ]);
  return `${columns([head, ...rows])}\n(over a peer: our rate divided by its rate in the same round, median and range; above 1 we are faster)`;
}

function durableTable({ durable }: BenchResult): string {
  if ('refused' in durable) return durable.refused;
  const rows = durable.puts.map((put) => [`${put.engine}, ${put.call}`, short(put.p50.median), ratio(put.overBare)]);
  const bare = [`append of ${durable.appendBytes} bytes + fdatasync`, short(durable.bareP50.median), '1'];
  return columns([['durable put, p50', 'µs', 'over bare'], bare, ...rows]);
}

function bulkTable(order: string, loads: readonly BulkLoad[]): string {
  const head = [
    `bulk load, ${order}`,
    'CPU s',
    'MB written',
    'amplification',
    'MB on disk',
    'merges',
    'compacted: CPU s',
    'amplification',
    'MB on disk',
  ];
  const amplification = (value: number | undefined): string => (value === undefined ? '–' : value.toFixed(2));
  const rows = loads.map((load) => [
    load.engine,
    load.cpuSeconds.toFixed(2),
    load.bytesWritten === undefined ? '–' : megabytes(load.bytesWritten),
    amplification(load.writeAmplification),
    megabytes(load.bytesOnDisk),
    load.counts['merges'] === undefined ? '–' : String(load.counts['merges']),
    load.compacted.cpuSeconds.toFixed(2),
    amplification(load.compacted.writeAmplification),
    megabytes(load.compacted.bytesOnDisk),
  ]);
  return columns([head, ...rows]);
}

function recoveryLines({ recovery }: BenchResult): string {
  const { simulated, real } = recovery;
  const row = (disk: string, figure: RecoveryFigure, fsyncs: string): string[] => [
    disk,
    short(figure.p50),
    short(figure.p99),
    short(figure.max),
    short(figure.thread.p50),
    short(figure.thread.p99),
    fsyncs,
  ];
  const rows = [
    [`recovery of ${recovery.records} records, CPU µs`, 'p50', 'p99', 'max', 'its thread: p50', 'p99', 'fsyncs'],
    row('simulated disk', simulated, '–'),
    row('real disk', real, String(real.fsyncs)),
  ];
  return columns(rows);
}

function targetLines(targets: readonly Target[]): string {
  const rows = targets.map((target) => [
    target.text,
    `${target.sense} ${target.bound}`,
    target.actual === undefined ? '–' : target.actual.toFixed(2),
    target.holds === undefined ? `not measured: ${target.why ?? ''}` : target.holds ? 'reached' : 'missed',
  ]);
  return columns([['target', 'bound', 'here', ''], ...rows]);
}
