/** Figures of a database in the format of Prometheus. They listen to the database and change nothing. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Observer } from '../../engine/index.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import type { Database } from '../database.ts';
import { CountedVfs } from './disk.ts';

/** Seconds; the thresholds that the alerts name (10 ms for reads, 100 ms for writes) are bounds of their own. */
const BUCKETS_SECONDS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
/** Figures of the statistics whose names say too little outside of them. */
const NAMES: Readonly<Record<string, string>> = {
  waits: 'lock_waits',
  waitMilliseconds: 'lock_wait_milliseconds',
};
const CHECKS = ['health', 'integrity', 'backup'] as const;
const READS = /^(get|scan|snapshotGet|snapshotScan|txGet|txScan)$/;
const WRITES = /^(put|delete|clear|batch|commit|sync)$/;

/** One set of figures; a process may hold several. */
export class Metrics {
  readonly registry = new Registry();
  private readonly seconds: Histogram<'operation' | 'kind'>;
  private readonly requests: Counter;
  private readonly errors: Counter<'code'>;
  private readonly steps: Counter<'step'>;
  private readonly calls: Counter<'call'>;
  private readonly bytes: Counter<'call'>;
  private readonly syncSeconds: Histogram;
  private readonly checks: Counter<'check' | 'result'>;

  constructor() {
    const registers = [this.registry];
    this.seconds = new Histogram({
      name: 'lightning_request_seconds',
      help: 'How long requests took, by operation and kind',
      labelNames: ['operation', 'kind'],
      buckets: BUCKETS_SECONDS,
      registers,
    });
    this.requests = new Counter({ name: 'lightning_requests_total', help: 'Requests answered', registers });
    this.errors = new Counter({
      name: 'lightning_request_errors_total',
      help: 'Requests answered with an error, by code',
      labelNames: ['code'],
      registers,
    });
    this.steps = new Counter({
      name: 'lightning_engine_steps_total',
      help: 'What the engine did, by its named steps',
      labelNames: ['step'],
      registers,
    });
    this.checks = new Counter({
      name: 'lightning_checks_total',
      help: 'Checks of health and integrity and backups by the clock, and how they ended',
      labelNames: ['check', 'result'],
      registers,
    });
    // A series that began with its first failure would have no increase, and nobody would be warned of it.
    for (const check of CHECKS) for (const result of ['good', 'bad']) this.checks.inc({ check, result }, 0);
    this.calls = new Counter({
      name: 'lightning_disk_calls_total',
      help: 'Calls of the file system that succeeded: read, write, sync',
      labelNames: ['call'],
      registers,
    });
    this.bytes = new Counter({
      name: 'lightning_disk_bytes_total',
      help: 'Bytes read from files and written to them',
      labelNames: ['call'],
      registers,
    });
    this.syncSeconds = new Histogram({
      name: 'lightning_disk_sync_seconds',
      help: 'How long fsyncs took',
      buckets: BUCKETS_SECONDS,
      registers,
    });
    const memory: Gauge = new Gauge({
      name: 'lightning_resident_memory_bytes',
      help: 'Memory of the process',
      registers,
      collect: (): void => memory.set(process.memoryUsage.rss()),
    });
  }

  /** Counts the steps of an engine: the `observe` of the options with which a database is opened. */
  readonly observe: Observer = (step) => this.steps.inc({ step });

  /** The same files, with what is asked of them counted. @param now a clock for durations, in milliseconds */
  counted(files: Vfs, now: () => number): Vfs {
    return new CountedVfs(
      files,
      (call, bytes, seconds) => {
        this.calls.inc({ call });
        if (call === 'sync') this.syncSeconds.observe(seconds);
        else this.bytes.inc({ call }, bytes);
      },
      now,
    );
  }

  /** Shows the space of the disk. @param space of the file system, asked at each scrape; see `spaceAround` */
  watchDisk(space: () => { readonly sizeBytes: number; readonly freeBytes: number }): void {
    const registers = [this.registry];
    const size: Gauge = new Gauge({
      name: 'lightning_disk_size_bytes',
      help: 'What the file system of the store holds',
      registers,
      collect: (): void => size.set(space().sizeBytes),
    });
    const free: Gauge = new Gauge({
      name: 'lightning_disk_free_bytes',
      help: 'What of that is free',
      registers,
      collect: (): void => free.set(space().freeBytes),
    });
  }

  /** Counts a request. @param milliseconds how long it took @param code of its error */
  request(operation: string, milliseconds: number, code: string | undefined): void {
    const kind = READS.test(operation) ? 'read' : WRITES.test(operation) ? 'write' : 'other';
    this.seconds.observe({ operation, kind }, milliseconds / 1000);
    this.requests.inc();
    if (code !== undefined) this.errors.inc({ code });
  }

  /** Counts a check by the clock. */
  check(check: (typeof CHECKS)[number], isGood: boolean): void {
    this.checks.inc({ check, result: isGood ? 'good' : 'bad' });
  }

  /** Shows every number of the database's statistics, asked at each scrape. */
  watch(database: Database): void {
    for (const name of Object.keys(database.statistics())) {
      const read = (): unknown => new Map<string, unknown>(Object.entries(database.statistics())).get(name);
      if (typeof read() !== 'number') continue;
      const gauge: Gauge = new Gauge({
        name: `lightning_${NAMES[name] ?? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
        help: `${name} of the statistics`,
        registers: [this.registry],
        collect: (): void => {
          const value = database.isClosed ? undefined : read();
          if (typeof value === 'number') gauge.set(value);
        },
      });
    }
  }
}
