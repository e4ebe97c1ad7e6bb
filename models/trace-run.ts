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
import type { ModelName } from './configurations.ts';
import { readManifestBytes, readRecords, SEGMENT_HEADER_BYTES, type WrittenManifest } from './trace-bytes.ts';
import { MvccTrace } from './trace-mvcc.ts';
import { type FileStep, RecordingVfs } from './trace-recorder.ts';
import { drawSwarm, TraceClient } from './trace-client.ts';
import { WalTrace } from './trace-wal.ts';

/** The keys of every traced run. */
export const TRACE_KEYS: readonly string[] = ['a', 'b', 'c'];
const CRASHES_MAX_IN_A_ROW = 3;
/** Numbers of acts are below it. */
export const ACTS_MAX: number = 2 ** 20;

/** What a run is made of. */
export interface TraceOptions {
  readonly seed: number;
  /**
   * The acts of the client by number; each gives a handful of events. What an act draws depends on the seed and its number
   * alone, so that acts can be left out of a failing run.
   */
  readonly acts: readonly number[];
  /** Whether the process is killed and the power cut now and then. */
  readonly crashes: boolean;
  /** An event at which the engine's state is kept. */
  readonly watch?: { readonly model: ModelName; readonly at: number } | undefined;
}

/** What an engine and its files show of themselves, by name. */
export type EngineState = Readonly<Record<string, string | number>>;

/** A run's two traces, and what it did, in words. */
export interface TracedRun {
  readonly mvcc: MvccTrace;
  readonly wal: WalTrace;
  readonly story: readonly string[];
  /** For each act, how many events there were after it. */
  readonly lengths: readonly Readonly<Record<ModelName, number>>[];
  /** An error that the client did not expect: the traces end before it. */
  readonly error: unknown;
  /** The engine's state at the event that was watched. */
  readonly watched: EngineState | undefined;
}

class TracedEngine {
  readonly clock = new ManualClock(1);
  readonly mvcc: MvccTrace;
  readonly client: TraceClient;
  readonly wal: WalTrace;
  private random: Prng;
  private readonly seed: number;
  private readonly options: Partial<EngineOptions>;
  private disk: SimulatedDisk;
  private vfs: RecordingVfs;
  private engine: Engine;
  private coveredBySync = 0;
  private engineIsOpen = false;
  private hasBegun = false;

  constructor(seed: number) {
    const random = new Prng(seed);
    this.random = random;
    this.seed = seed;
    // Options are drawn, so that each run meets another rhythm of freezing and merging.
    const memtableBytes = [150, 400, 1500, 6000][random.below(4)];
    this.options = {
      memtableBytes,
      runCountMax: 1 + random.below(3),
      frozenCountMax: 1 + random.below(2),
      sliceBytes: random.below(2) === 0 ? 1 : 1 << 16,
    };
    this.disk = new SimulatedDisk({ syncCompletion: 'manual' });
    this.vfs = new RecordingVfs(this.disk, this.onFile);
    this.engine = this.open();
    // The models begin on a disk that has nothing pending.
    this.disk.syncDirectory('');
    const manifest = this.manifest();
    this.mvcc = new MvccTrace(TRACE_KEYS, manifest);
    this.wal = new WalTrace(manifest.segments[0]);
    this.client = new TraceClient({
      swarm: drawSwarm(random),
      clock: this.clock,
      trace: this.mvcc,
      keys: TRACE_KEYS,
      memtableBytes,
    });
    this.client.use(this.engine, () => this.disk.completeSyncs());
    this.hasBegun = true;
    this.engineIsOpen = true;
  }

  private manifest(): WrittenManifest {
    return readManifestBytes(this.disk.currentImage().get('MANIFEST') ?? new Uint8Array(0));
  }

  private open(): Engine {
    const newDatabaseId = (): Uint8Array => new Uint8Array(16).fill(7);
    return Engine.open({ vfs: this.vfs, clock: this.clock, observe: this.onStep, newDatabaseId }, this.options);
  }

  private readonly onFile = (step: FileStep): void => {
    if (!this.hasBegun) return;
    const isLog = step.path.startsWith('wal-');
    if (isLog && step.operation === 'write' && this.engineIsOpen && (step.position ?? 0) >= SEGMENT_HEADER_BYTES) {
      const { records } = readRecords(step.bytes ?? new Uint8Array(0), step.position ?? 0);
      for (const record of records) this.mvcc.appended(record);
    }
    if (isLog && step.operation === 'sync-begin') this.coveredBySync = this.mvcc.written;
    if (isLog && step.operation === 'sync' && this.engineIsOpen) this.mvcc.synced(this.coveredBySync);
    if (step.operation === 'rename' && this.engineIsOpen) this.mvcc.manifestNamed(this.manifest());
    this.wal.step(step);
  };

  private readonly onStep = (step: EngineStep, value: number): void => {
    if (!this.engineIsOpen) return;
    const answers = (): ReturnType<TraceClient['answers']> => this.client.answers();
    const statistics = this.engine.statistics();
    if (step === 'publish') {
      this.wal.published(value);
      this.mvcc.published(value, answers());
    } else if (step === 'freeze') this.mvcc.froze(statistics.frozenCount, answers());
    else if (step === 'flush') this.mvcc.flushed(statistics.frozenCount, statistics.runCount, answers());
    else if (step === 'merge-begin') this.mvcc.mergeBegan(value, statistics.runCount - value);
    else if (step === 'merge' || step === 'collect') this.mvcc.merged(statistics.runCount, answers());
  };

  /** What an engine's files show, and, while it is open, the engine itself. */
  state(): EngineState {
    const { segments, flushed } = this.manifest();
    const image = this.disk.currentImage();
    const files = image.paths().flatMap((path): string[] => {
      const bytes = image.get(path) ?? new Uint8Array(0);
      const segment = /^wal-(\d+)\.log$/.exec(path)?.[1];
      if (segment === undefined) return [];
      const { records } = readRecords(bytes.subarray(SEGMENT_HEADER_BYTES), SEGMENT_HEADER_BYTES);
      return [`<<${segment}, ${records.length}>>`];
    });
    const onDisk = {
      'segments in the manifest': `<<${segments.join(', ')}>>`,
      'flushed in the manifest': flushed,
      'segments and their records': `{${files.join(', ')}}`,
      clock: this.clock.now(),
    };
    if (!this.engineIsOpen) return onDisk;
    const { published, durable, frozenCount, runCount, snapshotCount } = this.engine.statistics();
    return { ...onDisk, published, durable, 'frozen memtables': frozenCount, runs: runCount, snapshots: snapshotCount };
  }

  /** One act of the client; `false` when the process ended in it. */
  act(index: number, crashes: boolean): boolean {
    this.random = new Prng(this.seed * ACTS_MAX + index);
    if (crashes && this.random.below(25) === 0) {
      // Between two acts, with what was written and not fsynced; or in the midst of what follows.
      if (this.random.below(2) === 0) return false;
      this.vfs.stopAfter(this.random.below(12));
    }
    try {
      this.client.act(this.random);
      return true;
    } catch (error) {
      if (!isPowerCut(error) && !this.vfs.isStopped) throw error;
      return false;
    }
  }

  /** After a stop: the kill or the cut, and openings until one ends. */
  comeBack(): void {
    this.engineIsOpen = false;
    let manifest: WrittenManifest;
    for (let tries = 0; ; tries++) {
      this.crash();
      if (tries < CRASHES_MAX_IN_A_ROW && this.random.below(3) === 0) this.vfs.stopAfter(this.random.below(12));
      manifest = this.manifest();
      try {
        this.engine = this.open();
        break;
      } catch (error) {
        if (!isPowerCut(error) && !this.vfs.isStopped) throw error;
      }
    }
    this.engineIsOpen = true;
    this.client.use(this.engine, () => this.disk.completeSyncs());
    this.wal.recovered(this.engine.published);
    if (this.random.below(2) === 0) {
      this.mvcc.reopened(this.engine.published, this.engine.durableSequence, manifest, this.client.answers());
      return;
    }
    // The clock may stand anywhere after a stop; nobody has read yet.
    this.mvcc.reopened(this.engine.published, this.engine.durableSequence, manifest, []);
    this.client.setClock(1 + this.random.below(this.clock.now() + 2));
  }

  private crash(): void {
    this.vfs.stop();
    if (this.random.below(3) === 0) {
      this.client.note('the process is killed');
      this.wal.killed();
    } else {
      this.client.note('the power is cut');
      const image: DiskImage = this.disk.crashImage(new RandomChooser(this.random));
      this.disk = new SimulatedDisk({ image, syncCompletion: 'manual' });
      this.wal.powerCut(image);
    }
    this.vfs = new RecordingVfs(this.disk, this.onFile);
  }
}

/** Runs the client; never throws for what the engine does wrong. */
export function traceRun(options: TraceOptions): TracedRun {
  const traced = new TracedEngine(options.seed);
  const { mvcc, wal, client } = traced;
  const lengths: Record<ModelName, number>[] = [];
  let error: unknown;
  let watched: EngineState | undefined;
  const { watch } = options;
  if (watch !== undefined) {
    (watch.model === 'MVCC' ? mvcc : wal).log.onEvent = (n) => {
      if (n === watch.at) watched = traced.state();
    };
  }
  try {
    for (const index of options.acts) {
      try {
        if (!traced.act(index, options.crashes)) traced.comeBack();
      } finally {
        lengths.push({ MVCC: mvcc.events.length, WALRecovery: wal.events.length });
      }
    }
  } catch (caught) {
    error = isLightningError(caught) || caught instanceof Error ? caught : new Error(String(caught));
  }
  return { mvcc, wal, story: client.story, lengths, error, watched };
}

/** The first `count` acts. */
export function firstActs(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
