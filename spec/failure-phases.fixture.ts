/**
 * What the table of failures in errors.md speaks of, as something that can be run: for each phase a store made ready on
 * the simulated disk, and the one act during which a planned fault strikes.
 */
import { ManualClock } from '../src/base/clock.ts';
import { fromText } from '../src/base/bytes.ts';
import { verifyOpenStore } from '../src/database/verify/verify-store.ts';
import { Engine, type EngineOptions } from '../src/engine/index.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import {
  type FaultEffect,
  FaultPlan,
  matchesPath,
  type Operation,
  type PlannedFault,
} from '../src/faults/fault-plan.ts';
import type { IoStep } from '../src/faults/io-steps.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';

/** Everything small, so that a handful of commits fills each layer. */
export const SMALL: Partial<EngineOptions> = {
  memtableBytes: 1,
  frozenCountMax: 1,
  runCountMax: 2,
  blockSizeBytes: 512,
  nodeTargetBytes: 512,
  runBlockBytes: 64,
  cacheBytes: 0,
};

const clock = new ManualClock(1000);

/** Keys and values that must be there whatever happens to the act. */
export type Expected = Map<string, string>;

/** A store made ready. */
export interface Ready {
  readonly engine: Engine | undefined;
  /** Acknowledged before the act. */
  readonly kept: Expected;
}

/** A phase of the table. */
export interface Phase {
  /** What is on the disk before anything is opened. */
  readonly image: () => DiskImage | undefined;
  readonly prepare: (disk: SimulatedDisk) => Ready;
  /** May throw. An opened engine is returned. */
  readonly act: (ready: Ready, disk: SimulatedDisk) => Engine | undefined;
  /** The key that the act writes, if it is a commit. */
  readonly writes?: string;
  /** A fault that always strikes first, at the act's first call of that kind. */
  readonly first?: { readonly path: string; readonly effect: FaultEffect };
}

/** Opens the store of a disk. */
export function openOn(disk: SimulatedDisk, options: Partial<EngineOptions> = SMALL): Engine {
  return Engine.open({ vfs: disk, clock, newDatabaseId: () => new Uint8Array(16).fill(7) }, options);
}

/** One durable commit. */
function put(engine: Engine, kept: Expected, key: string, value: string): void {
  engine.commit([{ type: 'put', key: fromText(key), value: fromText(value) }]);
  engine.sync();
  kept.set(key, value);
}

/** Does what waits, to its end. */
function work(engine: Engine): void {
  while (engine.pendingWork() !== undefined) engine.step();
}

/** A store with a tree, a run and a log, every layer with something of its own. */
function fill(engine: Engine, kept: Expected): void {
  for (let i = 0; i < 8; i++) {
    put(engine, kept, `tree${i}`, 'x'.repeat(100));
    work(engine);
  }
  engine.compact();
  put(engine, kept, 'run', 'in a run');
  put(engine, kept, 'frozen', 'waits to be flushed');
  engine.step();
  while (engine.pendingWork() === 'flush') engine.step();
  put(engine, kept, 'log', 'in the log');
}

function filled(end: (engine: Engine) => void): () => DiskImage {
  return () => {
    const disk = new SimulatedDisk();
    const engine = openOn(disk);
    fill(engine, new Map());
    end(engine);
    return disk.currentImage();
  };
}

/** The content that `filled` leaves. */
function filledContent(): Expected {
  const kept: Expected = new Map();
  fill(openOn(new SimulatedDisk()), kept);
  return kept;
}

const nothing = (): undefined => undefined;
const close = (engine: Engine): void => engine.close();
const killed = (): void => undefined;

function inStore(prepare: (engine: Engine, kept: Expected) => void): Phase['prepare'] {
  return (disk) => {
    const engine = openOn(disk);
    const kept = filledContent();
    prepare(engine, kept);
    return { engine, kept };
  };
}

function acting(act: (engine: Engine) => void): Phase['act'] {
  return ({ engine }) => {
    if (engine !== undefined) act(engine);
    return undefined;
  };
}

const commitNew = acting((engine) => {
  engine.commit([{ type: 'put', key: fromText('new'), value: fromText('new value') }]);
});

const opening: Pick<Phase, 'prepare' | 'act'> = {
  prepare: () => ({ engine: undefined, kept: filledContent() }),
  act: (_, disk) => openOn(disk),
};

/** The phases, by the name that the table gives them. */
export const PHASES: Readonly<Record<string, Phase>> = {
  create: {
    image: nothing,
    prepare: () => ({ engine: undefined, kept: new Map() }),
    act: (_, disk) => openOn(disk),
  },
  open: { image: filled(close), ...opening },
  recover: { image: filled(killed), ...opening },
  get: {
    image: filled(close),
    prepare: inStore(killed),
    act: acting((engine) => {
      for (const key of ['tree5', 'run']) engine.get(fromText(key));
    }),
  },
  scan: {
    image: filled(close),
    prepare: inStore(killed),
    act: acting((engine) => {
      const scan = engine.scan();
      try {
        while (scan.next());
      } finally {
        scan.close();
      }
    }),
  },
  commit: {
    image: filled(close),
    prepare: inStore((engine) => engine.flush()),
    act: commitNew,
    writes: 'new',
  },
  'cut after a full disk': {
    image: filled(close),
    prepare: inStore((engine) => engine.flush()),
    act: commitNew,
    writes: 'new',
    first: { path: 'wal-*', effect: { operation: 'write', error: 'ENOSPC', writtenBytes: 10 } },
  },
  sync: {
    image: filled(close),
    prepare: inStore((engine) => {
      engine.flush();
      engine.commit([{ type: 'put', key: fromText('new'), value: fromText('new value') }]);
    }),
    act: acting((engine) => engine.sync()),
    writes: 'new',
  },
  freeze: {
    image: filled(close),
    prepare: inStore((engine, kept) => {
      engine.flush();
      put(engine, kept, 'full', 'fills the memtable');
    }),
    act: commitNew,
    writes: 'new',
  },
  flush: {
    image: filled(close),
    prepare: inStore((engine, kept) => {
      engine.compact();
      put(engine, kept, 'full', 'fills the memtable');
      put(engine, kept, 'next', 'makes it freeze');
    }),
    act: acting((engine) => {
      while (engine.pendingWork() === 'flush') engine.step();
    }),
  },
  'first merge': {
    image: nothing,
    prepare: (disk) => {
      const engine = openOn(disk);
      const kept: Expected = new Map();
      for (const key of ['a', 'b']) {
        put(engine, kept, key, `value of ${key}`);
        engine.flush();
      }
      return { engine, kept };
    },
    act: acting(work),
  },
  merge: {
    image: filled(close),
    prepare: inStore((engine, kept) => {
      engine.compact();
      for (const value of ['again', 'and again']) {
        put(engine, kept, 'tree3', value);
        engine.flush();
      }
    }),
    act: acting(work),
  },
  collect: {
    image: filled(close),
    prepare: inStore((engine, kept) => {
      engine.compact();
      const view = engine.openSnapshot();
      put(engine, kept, 'tree3', 'again');
      engine.compact();
      engine.releaseSnapshot(view);
    }),
    act: acting((engine) => engine.collect()),
  },
  verify: {
    image: filled(close),
    prepare: inStore(killed),
    act: ({ engine }, disk) => {
      if (engine !== undefined) verifyOpenStore(engine, disk);
      return undefined;
    },
  },
  close: {
    image: filled(close),
    prepare: inStore((engine) => {
      engine.compact();
      engine.commit([{ type: 'put', key: fromText('new'), value: fromText('new value') }]);
    }),
    act: acting(close),
    writes: 'new',
  },
};

/** What one fault did. */
export interface Struck {
  readonly disk: SimulatedDisk;
  /** Before the first call. */
  readonly before: DiskImage;
  readonly ready: Ready;
  readonly engine: Engine | undefined;
  readonly error: unknown;
}

/** Calls of a phase's preparation that are steps and that a fault of this kind would match. */
function callsBefore(phase: Phase, image: DiskImage | undefined, path: string, operation: Operation): number {
  let count = 0;
  const observer = (step: IoStep): void => {
    if (step.operation === operation && matchesPath(path, step.path)) count++;
  };
  phase.prepare(new SimulatedDisk({ ...(image === undefined ? {} : { image }), observer }));
  return count;
}

/** The steps that a phase's act takes when nothing fails. */
export function stepsOf(phase: Phase): IoStep[] {
  const image = phase.image();
  const steps: IoStep[] = [];
  const observer = (step: IoStep): void => void steps.push(step);
  const disk = new SimulatedDisk({ ...(image === undefined ? {} : { image }), observer });
  const ready = phase.prepare(disk);
  steps.length = 0;
  phase.act(ready, disk);
  return steps;
}

/** Runs a phase once for each of its calls that the fault matches, the fault striking that call alone. */
export function* strikeEach(phase: Phase, path: string, effect: FaultEffect): Generator<Struck> {
  const image = phase.image();
  const planned: PlannedFault[] = [];
  if (phase.first !== undefined) {
    const { path: firstPath, effect: firstEffect } = phase.first;
    const nth = callsBefore(phase, image, firstPath, firstEffect.operation) + 1;
    planned.push({ when: { path: firstPath, nth, times: 1 }, effect: firstEffect });
  }
  // Reads and opens are no steps and cannot be counted before: those that land too soon are passed over.
  for (let nth = callsBefore(phase, image, path, effect.operation) + 1; ; nth++) {
    const faults = new FaultPlan([{ when: { path, nth, times: 1 }, effect }, ...planned]);
    const disk = new SimulatedDisk({ ...(image === undefined ? {} : { image }), faults });
    const before = disk.currentImage();
    let ready: Ready;
    try {
      ready = phase.prepare(disk);
    } catch (error) {
      if (faults.landed.length > 0) continue;
      throw error;
    }
    if (faults.landed.length > 0) continue;
    let engine = ready.engine;
    let error: unknown;
    try {
      engine = phase.act(ready, disk) ?? engine;
    } catch (thrown) {
      error = thrown;
    }
    if (faults.landed.length <= planned.length) return;
    yield { disk, before, ready, engine, error };
  }
}
