/**
 * A campaign of generated programs over all cores: worker processes run disjoint programs, this one adds up what they
 * saw and counts disks that differ, over all of them. It ends when enough different disks have been judged.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { assert } from '../src/base/assert.ts';
import { monotonicMilliseconds } from '../src/base/clock.ts';
import { makeDirectory } from '../src/report/files.ts';
import { hashSources } from '../src/report/sources-hash.ts';
import type { WorkerReport, WorkerTask } from './campaign-messages.ts';
import { NumberSet } from './number-set.ts';

/** What is asked of a campaign. It ends at the first of the two limits. */
export interface CampaignOptions {
  readonly seed: number;
  /** Different disks to be recovered and judged. */
  readonly imagesWanted: number;
  readonly secondsMax: number;
  readonly workerCount: number;
  /** This machine's part of the programs: `shard` from 0, of `shardCount`. */
  readonly shard: number;
  readonly shardCount: number;
  readonly directoryModel: WorkerTask['directoryModel'];
  readonly outDirectory: string;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
  /** An earlier part of the same campaign, to go on from; of the same seed, shard and number of workers. */
  readonly before?: CampaignPart;
}

/** A campaign as far as it came: its result, and the disks it has met. */
export interface CampaignPart {
  readonly result: CampaignResult;
  readonly images: Float64Array;
}

/** What a campaign came to. */
export interface CampaignResult {
  readonly seed: number;
  /** Judged recoveries, distinct in their program by cut and state. */
  readonly cycles: number;
  /** Recovered disks that differ, over all programs. */
  readonly images: number;
  readonly programs: number;
  readonly violations: WorkerReport['violations'];
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Peaks of this process and of each worker, added up. */
  readonly peakMemoryBytes: number;
  readonly recoveryMilliseconds: {
    readonly samples: number;
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
  };
  readonly counts: Readonly<Record<string, number>>;
  readonly sourcesHash: string;
  /** For each worker the program that it would run next. */
  readonly next: readonly number[];
  /** Why it is less than was asked for; empty otherwise. */
  readonly shortfall: string;
}

const WORKER = fileURLToPath(new URL('./campaign-worker.ts', import.meta.url));
const STAGE = fileURLToPath(new URL('./crash-stage.ts', import.meta.url));
/** A worker's live data is small; without a limit the heap grows because it may. */
const MEMORY_FLAGS = ['--max-old-space-size=192', '--max-semi-space-size=8'];
/** A worker that was told to stop ends its program first; one that takes longer hangs. */
const STOP_MILLISECONDS = 60_000;

/** Runs a campaign to its end. @throws LightningError when its folder cannot be made */
export async function runCampaign(options: CampaignOptions): Promise<CampaignPart> {
  makeDirectory(options.outDirectory);
  return new Campaign(options).run();
}

class Campaign {
  private readonly options: CampaignOptions;
  private readonly sourcesHash = hashSources(STAGE).hash;
  private readonly start = monotonicMilliseconds();
  private readonly images = new NumberSet();
  private readonly counts = new Map<string, number>();
  private readonly latest = new Map<number, WorkerReport>();
  private readonly violations: WorkerReport['violations'][number][] = [];
  private readonly samples: number[] = [];
  private programs = 0;
  private readonly next: number[];
  private stopped = '';
  private broken = '';

  constructor(options: CampaignOptions) {
    this.options = options;
    const { shard, workerCount, before } = options;
    this.next = before?.result.next.slice() ?? Array.from({ length: workerCount }, (_, i) => shard * workerCount + i);
    assert(this.next.length === workerCount, 'a campaign goes on with as many workers as it had', this.next.length);
    if (before === undefined) return;
    this.programs = before.result.programs;
    for (const [name, value] of Object.entries(before.result.counts)) this.counts.set(name, value);
    for (const image of before.images) this.images.add(image);
  }

  async run(): Promise<CampaignPart> {
    const workers = Array.from({ length: this.options.workerCount }, (_, index) => this.startWorker(index));
    const timer = setTimeout(() => this.stop(workers, 'its time was up'), this.options.secondsMax * 1000);
    const onAbort = (): void => this.stop(workers, 'it was interrupted');
    this.options.signal.addEventListener('abort', onAbort);
    if (this.options.signal.aborted) onAbort();
    await Promise.all(workers.map((worker, index) => this.follow(worker, index, workers)));
    clearTimeout(timer);
    this.options.signal.removeEventListener('abort', onAbort);
    return { result: this.result(), images: this.images.values() };
  }

  private startWorker(index: number): ChildProcess {
    const { workerCount, shard, shardCount, seed, directoryModel, outDirectory } = this.options;
    const worker = fork(WORKER, { serialization: 'advanced', execArgv: [...process.execArgv, ...MEMORY_FLAGS] });
    const task: WorkerTask = {
      seed,
      shard: shard * workerCount + index,
      shardCount: shardCount * workerCount,
      first: this.next[index],
      directoryModel,
      outDirectory,
      sourcesHash: this.sourcesHash,
    };
    worker.send(task);
    return worker;
  }

  private follow(worker: ChildProcess, index: number, workers: readonly ChildProcess[]): Promise<void> {
    return new Promise((ended) => {
      worker.on('message', (report: WorkerReport) => {
        this.add(index, report);
        if (this.images.size >= this.options.imagesWanted) this.stop(workers, 'enough');
        else if (this.violations.length > 0) this.stop(workers, 'a violation was found');
      });
      worker.on('exit', (code, signal) => {
        if (code !== 0) this.broken = `a worker ended with ${code ?? signal}`;
        this.stop(workers, 'a worker ended');
        ended();
      });
    });
  }

  private stop(workers: readonly ChildProcess[], reason: string): void {
    if (this.stopped !== '') return;
    this.stopped = reason;
    for (const worker of workers) {
      if (worker.connected) worker.send('stop');
      setTimeout(() => worker.kill('SIGKILL'), STOP_MILLISECONDS).unref();
    }
  }

  private add(index: number, report: WorkerReport): void {
    this.latest.set(index, report);
    this.programs += report.programs;
    this.next[index] = report.next;
    for (const [name, value] of Object.entries(report.counts)) {
      this.counts.set(name, (this.counts.get(name) ?? 0) + value);
    }
    for (const image of report.images) this.images.add(image);
    for (const sample of report.recoveryMilliseconds) this.samples.push(sample);
    this.violations.push(...report.violations);
    const seconds = (monotonicMilliseconds() - this.start) / 1000;
    const cycles = this.counts.get('cycles') ?? 0;
    this.options.onProgress(
      `${cycles} cycles, ${this.images.size} different disks, ${this.programs} programs, ${Math.round(cycles / seconds)} cycles/s`,
    );
  }

  private result(): CampaignResult {
    const { samples, options } = this;
    samples.sort((a, b) => a - b);
    const at = (share: number): number =>
      samples[Math.min(samples.length - 1, Math.floor(samples.length * share))] ?? 0;
    const workers = [...this.latest.values()];
    const sum = (of: (report: WorkerReport) => number): number =>
      workers.reduce((total, report) => total + of(report), 0);
    const earlier = options.before?.result;
    const isShort = this.images.size < options.imagesWanted;
    return {
      seed: options.seed,
      cycles: this.counts.get('cycles') ?? 0,
      images: this.images.size,
      programs: this.programs,
      violations: this.violations,
      seconds: (monotonicMilliseconds() - this.start) / 1000 + (earlier?.seconds ?? 0),
      cpuSeconds: sum((report) => report.cpuSeconds) + (earlier?.cpuSeconds ?? 0),
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024 + sum((report) => report.peakMemoryBytes),
      recoveryMilliseconds: { samples: samples.length, p50: at(0.5), p99: at(0.99), max: at(1) },
      counts: Object.fromEntries([...this.counts].sort()),
      sourcesHash: this.sourcesHash,
      next: this.next,
      shortfall: this.broken !== '' ? this.broken : isShort ? this.stopped : '',
    };
  }
}
