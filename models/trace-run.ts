/**
 * A client of the real engine on a disk in memory, with kills and power cuts at any change of a file, whose whole doing is
 * logged twice: as events of MVCC.tla and as events of WALRecovery.tla. A seed decides everything.
 */
import { ManualClock } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { Engine, type EngineOptions, type EngineStep } from '../src/engine/index.ts';
import { RandomChooser } from '../src/faults/chooser.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { readManifestBytes, readRecords, SEGMENT_HEADER_BYTES } from './trace-bytes.ts';
import { MvccTrace } from './trace-mvcc.ts';
import { type FileStep, RecordingVfs } from './trace-recorder.ts';
import { type Act, TraceClient } from './trace-client.ts';
import { WalTrace } from './trace-wal.ts';

/** The keys of every traced run. */
export const TRACE_KEYS: readonly string[] = ['a', 'b', 'c'];
const CRASHES_MAX_IN_A_ROW = 3;

/** What a run is made of. */
export interface TraceOptions {
  readonly seed: number;
  /** Acts of the client; each gives a handful of events. */
  readonly acts: number;
  /** Whether the process is killed and the power cut now and then. */
  readonly crashes: boolean;
}

/** A run's two traces, and what it did, in words. */
export interface TracedRun {
  readonly mvcc: MvccTrace;
  readonly wal: WalTrace;
  readonly acts: readonly Act[];
  /** An error that the client did not expect: the traces end before it. */
  readonly error: unknown;
}

class TracedEngine {
  readonly clock = new ManualClock(1);
  readonly mvcc = new MvccTrace(TRACE_KEYS);
  readonly client: TraceClient;
  wal: WalTrace | undefined;
  private readonly random: Prng;
  private readonly options: Partial<EngineOptions>;
  private disk: SimulatedDisk;
  private vfs: RecordingVfs;
  private engine: Engine;
  private coveredBySync = 0;
  private manifestFound: Uint8Array | undefined;

  constructor(random: Prng) {
    this.random = random;
    // Options are drawn, so that each run meets another rhythm of freezing and merging.
    const memtableBytes = 150 + 250 * random.below(4);
    this.options = {
      memtableBytes,
      runCountMax: 1 + random.below(3),
      frozenCountMax: 1 + random.below(2),
      sliceBytes: random.below(2) === 0 ? 1 : 1 << 16,
    };
    this.disk = new SimulatedDisk({ syncCompletion: 'manual' });
    this.vfs = new RecordingVfs(this.disk, this.onFile);
    this.engine = this.open();
    const manifest = this.disk.currentImage().get('MANIFEST');
    this.wal = new WalTrace(readManifestBytes(manifest ?? new Uint8Array(0)).segments[0]);
    this.client = new TraceClient({ random, clock: this.clock, trace: this.mvcc, keys: TRACE_KEYS, memtableBytes });
    this.client.use(this.engine, () => this.disk.completeSyncs());
  }

  private open(): Engine {
    const newDatabaseId = (): Uint8Array => new Uint8Array(16).fill(7);
    return Engine.open({ vfs: this.vfs, clock: this.clock, observe: this.onStep, newDatabaseId }, this.options);
  }

  private readonly onFile = (step: FileStep): void => {
    if (this.wal === undefined) return;
    const isLog = step.path.startsWith('wal-');
    if (isLog && step.operation === 'write' && this.engineIsOpen && (step.position ?? 0) >= SEGMENT_HEADER_BYTES) {
      const { records } = readRecords(step.bytes ?? new Uint8Array(0), step.position ?? 0);
      for (const record of records) this.mvcc.appended(record);
    }
    if (isLog && step.operation === 'sync-begin') this.coveredBySync = this.mvcc.written;
    if (isLog && step.operation === 'sync' && this.engineIsOpen) this.mvcc.synced(this.coveredBySync);
    this.wal.step(step);
  };

  private engineIsOpen = true;

  private readonly onStep = (step: EngineStep, value: number): void => {
    if (this.wal === undefined) return;
    if (step === 'recover') return;
    if (!this.engineIsOpen) return;
    const answers = (): ReturnType<TraceClient['answers']> => this.client.answers();
    const statistics = this.engine.statistics();
    if (step === 'publish') {
      this.wal.published(value);
      this.mvcc.published(value, answers());
    } else if (step === 'freeze') this.mvcc.froze(statistics.frozenCount, answers());
    else if (step === 'flush') this.mvcc.flushed(statistics.frozenCount, statistics.runCount, answers());
    else if (step === 'merge-begin') this.mvcc.mergeBegan(value);
    else if (step === 'merge' || step === 'collect') {
      const manifest = this.disk.currentImage().get('MANIFEST') ?? new Uint8Array(0);
      this.mvcc.merged(statistics.runCount, readManifestBytes(manifest).treeBuild, answers());
    }
  };

  /** One act of the client; `false` when the process ended in it. */
  act(crashes: boolean): boolean {
    if (crashes && this.random.below(25) === 0) this.vfs.stopAfter(this.random.below(12));
    try {
      this.client.act();
      return true;
    } catch (error) {
      if (!isPowerCut(error) && !this.vfs.isStopped) throw error;
      return false;
    }
  }

  /** After a stop: the kill or the cut, and openings until one ends. */
  comeBack(): void {
    this.engineIsOpen = false;
    for (let tries = 0; ; tries++) {
      this.crash();
      if (tries < CRASHES_MAX_IN_A_ROW && this.random.below(3) === 0) this.vfs.stopAfter(this.random.below(12));
      this.manifestFound ??= this.disk.currentImage().get('MANIFEST');
      try {
        this.engine = this.open();
        break;
      } catch (error) {
        if (!isPowerCut(error) && !this.vfs.isStopped) throw error;
      }
    }
    this.engineIsOpen = true;
    this.client.use(this.engine, () => this.disk.completeSyncs());
    this.wal?.recovered(this.engine.published);
    const manifest = readManifestBytes(this.manifestFound ?? new Uint8Array(0));
    this.manifestFound = undefined;
    if (this.random.below(2) === 0) {
      this.mvcc.reopened(this.engine.published, manifest, this.client.answers());
      return;
    }
    // The clock may stand anywhere after a stop; nobody has read yet.
    this.mvcc.reopened(this.engine.published, manifest, []);
    this.client.setClock(1 + this.random.below(this.clock.now() + 2));
  }

  private crash(): void {
    this.vfs.stop();
    if (this.random.below(3) === 0) this.wal?.killed();
    else {
      const image: DiskImage = this.disk.crashImage(new RandomChooser(this.random));
      this.disk = new SimulatedDisk({ image, syncCompletion: 'manual' });
      this.wal?.powerCut(image);
    }
    this.vfs = new RecordingVfs(this.disk, this.onFile);
  }
}

/** Runs the client; never throws for what the engine does wrong. */
export function traceRun(options: TraceOptions): TracedRun {
  const traced = new TracedEngine(new Prng(options.seed));
  let error: unknown;
  try {
    for (let index = 0; index < options.acts; index++) {
      if (!traced.act(options.crashes)) traced.comeBack();
    }
  } catch (caught) {
    error = isLightningError(caught) || caught instanceof Error ? caught : new Error(String(caught));
  }
  return { mvcc: traced.mvcc, wal: traced.wal ?? new WalTrace(1), acts: traced.client.acts, error };
}
