/**
 * A soak that may run for days: one process is watched while it repeats a drawn program with real fsyncs. Every
 * measurement goes to a file at once; in memory a series stays bounded however long it runs.
 */
import { join } from 'node:path';
import { monotonicMilliseconds, systemClock } from '../src/base/clock.ts';
import { Prng } from '../src/base/prng.ts';
import { appendLine, makeDirectory, writeWhole } from '../src/report/files.ts';
import { formatDuration } from './duration.ts';
import { LeakProbe, type ProbeResult } from './leak-probe.ts';
import type { Growth } from './leak-statistics.ts';
import { describeGrowth, type Measurement, type Metric, METRICS } from './soak-metrics.ts';
import { describeProgram, drawProgram } from './soak-program.ts';

const LIVE_LINE_SECONDS = 10;
/** About so many measurements in all, a second apart at least in runs of more than ten minutes. */
const MEASUREMENTS_WANTED = 600;
const PAUSE_MILLISECONDS_MAX = 10_000;

/** How a soak is asked for. */
export interface SoakOptions {
  readonly durationSeconds: number;
  readonly outDirectory: string;
  readonly seed: number;
  /** Ends it early, with what there is. */
  readonly signal: AbortSignal;
  /** Told about every ten seconds. */
  readonly onLine: (line: string) => void;
}

/** What a soak found; `report.json` in its folder. */
export interface SoakReport {
  readonly format: 'lightning-db soak';
  readonly version: 1;
  readonly verdict: 'pass' | 'fail' | 'unknown';
  readonly interrupted: boolean;
  readonly seed: number;
  readonly askedSeconds: number;
  readonly seconds: number;
  readonly operations: number;
  readonly repetitions: number;
  readonly measurements: number;
  readonly failure: string | undefined;
  readonly growth: Readonly<Record<string, Growth & { readonly text: string }>>;
  readonly program: readonly string[];
  readonly samplesFile: string;
}

function liveLine(seconds: number, asked: number, now: Measurement): string {
  const rate = Math.round(now.operations / Math.max(1, seconds)).toLocaleString('en');
  const mebibytes = (bytes: number): string => `${(bytes / 1_048_576).toFixed(2)} MiB`;
  return [
    `${formatDuration(seconds)} of ${formatDuration(asked)}`,
    `${now.operations.toLocaleString('en')} operations (${rate}/s)`,
    `heap ${mebibytes(now.heap)}`,
    `disk ${mebibytes(now.disk)} in ${now.files} files, log ${mebibytes(now.log)}`,
    `${now.descriptors} descriptors`,
    `${now.snapshots} snapshots`,
  ].join(' · ');
}

function verdictOf(result: ProbeResult): SoakReport['verdict'] {
  if (result.failure !== undefined) return 'fail';
  const verdicts = [...result.growth.values()].map(({ verdict }) => verdict);
  if (verdicts.includes('grows')) return 'fail';
  return verdicts.includes('undecided') ? 'unknown' : 'pass';
}

/** The report as lines for a person, the verdict first. */
export function soakLines(report: SoakReport): string[] {
  const words = { pass: 'FLAT', fail: 'GROWS', unknown: 'UNDECIDED' } as const;
  const word = report.failure === undefined ? words[report.verdict] : 'FAILED';
  const ended = report.interrupted ? `interrupted after ${formatDuration(report.seconds)} of` : 'ran for';
  const lines = [`${word}: ${ended} ${formatDuration(report.askedSeconds)}, ${report.operations} operations`];
  if (report.failure !== undefined) lines.push(`  ${report.failure}`);
  for (const [name, growth] of Object.entries(report.growth)) {
    lines.push(`  ${growth.verdict.padEnd(9)} ${name.padEnd(11)} ${growth.text}`);
  }
  lines.push(`seed ${report.seed}, measurements in ${report.samplesFile}`);
  return lines;
}

/** Runs it to its end or its interruption; the report is written in both cases. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { durationSeconds, outDirectory, seed, signal } = options;
  makeDirectory(outDirectory);
  const samplesFile = join(outDirectory, `samples-${systemClock.now()}.ndjson`);
  const program = drawProgram(new Prng(seed), false);
  const start = monotonicMilliseconds();
  const elapsed = (): number => (monotonicMilliseconds() - start) / 1000;
  let lineDue = LIVE_LINE_SECONDS;
  const running = new LeakProbe(
    {
      directory: join(outDirectory, 'store'),
      program,
      seconds: durationSeconds,
      synced: true,
      repetitionsPerMeasurement: 1,
      pauseMilliseconds: Math.min(PAUSE_MILLISECONDS_MAX, (durationSeconds * 1000) / MEASUREMENTS_WANTED),
    },
    (measurement) => {
      const seconds = elapsed();
      appendLine(samplesFile, JSON.stringify({ seconds: Math.round(seconds * 1000) / 1000, ...measurement }));
      if (seconds < lineDue) return;
      lineDue = seconds + LIVE_LINE_SECONDS;
      options.onLine(liveLine(seconds, durationSeconds, measurement));
    },
  );
  const stop = (): void => running.stop();
  signal.addEventListener('abort', stop);
  if (signal.aborted) stop();
  await running.ended();
  signal.removeEventListener('abort', stop);
  const seconds = elapsed();
  const result = running.result(seconds);
  const growth: Record<string, Growth & { text: string }> = {};
  for (const [name, one] of result.growth) growth[name] = { ...one, text: textOf(name, one) };
  const report: SoakReport = {
    format: 'lightning-db soak',
    version: 1,
    verdict: verdictOf(result),
    interrupted: signal.aborted,
    seed,
    askedSeconds: durationSeconds,
    seconds,
    operations: result.operations,
    repetitions: result.repetitions,
    measurements: result.measurements,
    failure: result.failure?.error,
    growth,
    program: describeProgram(program),
    samplesFile,
  };
  writeWhole(join(outDirectory, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  return report;
}

function textOf(metric: Metric, growth: Growth): string {
  return `${METRICS[metric].title}: ${describeGrowth(metric, growth)}`;
}
