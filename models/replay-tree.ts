/**
 * Counterexamples of CopyOnWriteTree.tla, replayed against the real engine: each build is a merge of rows that rewrites
 * what the one before wrote. A counterexample that ends in a build is followed by a power cut at every moment of it, since
 * the invariants speak of what a cut leaves; then the store is opened, every row read, and every block accounted for.
 */
import { fromText } from '../src/base/bytes.ts';
import { errnoOf, isLightningError } from '../src/base/errors.ts';
import type { Finding } from '../src/database/verify/finding.ts';
import type { Scan } from '../src/engine/index.ts';
import { errnoError } from '../src/vfs/errno.ts';
import { Moments, ReplayMachine } from './replay-disk.ts';
import { type Observed, type Replay } from './replay-verdict.ts';
import type { ModelState } from './state-graph.ts';

type Call = 'build' | 'failing-build' | 'open-reader' | 'read' | 'close' | 'kill' | 'cut' | 'open';

const TREE_FILE = 'tree.db';
const BLOCK_BYTES = 512;
const VALUE_BYTES = 300;

/** A state of CopyOnWriteTree.tla, as far as its steps are told from it. */
export interface TreeState {
  readonly build: { readonly step: string };
  readonly reader: { readonly open: boolean };
  readonly blocks: readonly { readonly seen: number }[];
  readonly wrongRead: boolean;
  readonly refused: boolean;
  readonly phase: string;
  readonly builds: number;
}

/** The calls of a counterexample. What overwrites a free block that a reader still goes by is another build. */
export function treeCalls(states: readonly TreeState[]): Call[] {
  const calls: Call[] = [];
  let isBuilding = false;
  for (let i = 1; i < states.length; i++) {
    const [a, b] = [states[i - 1], states[i]];
    const isZeroed = b.blocks.some(({ seen }, block) => seen === 0 && a.blocks[block].seen !== 0);
    if (a.phase === 'running' && b.phase === 'down') calls.push('kill');
    else if (a.phase === 'down') calls.push('open');
    else if (b.builds > a.builds) isBuilding = true;
    else if (isBuilding && b.build.step === 'none') {
      calls.push(a.build.step === 'swapped' ? 'build' : 'failing-build');
      isBuilding = false;
    } else if (b.reader.open && !a.reader.open) calls.push('open-reader');
    else if (isZeroed) calls.push(b.reader.open ? 'build' : 'close');
    else if (b.wrongRead !== a.wrongRead || b.refused !== a.refused) calls.push('read');
    // A process that stops in a build ends it.
    if (b.phase === 'down' && isBuilding) {
      calls.splice(-1, 0, 'build');
      isBuilding = false;
    }
  }
  if (isBuilding) calls.push('build');
  if (['build', 'failing-build', 'close'].includes(calls.at(-1) ?? '')) calls.push('cut', 'open');
  return calls;
}

/** What a finding, or an error of reading or of an assertion, says of the model's invariants. */
const MEANINGS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/tree\.db.* missing/, ['NamedFileIsEntered']],
  [/free map covers|state and free map agree/, ['MapDescribesTree']],
  [
    /is free in the free map|lies in free blocks|free map lies in|the root is in use/,
    ['NothingReachableIsFree', 'MapDescribesTree'],
  ],
  [/neither reachable nor free/, ['NothingLeaks', 'MapDescribesTree']],
];

class TreeRun {
  private readonly machine: ReplayMachine;
  /** Rows of the builds that ended, and of one that may have. */
  private rows = new Map<string, string>();
  private maybe = new Map<string, string>();
  private builds = 0;
  private isFailing = false;
  private scan: Scan | undefined;
  private expectedOfScan: string[] = [];
  private readonly observed: Observed[] = [];

  constructor(moments: Moments) {
    // Nothing is cached, so that every page is read where it lies.
    const small = { blockSizeBytes: BLOCK_BYTES, nodeTargetBytes: BLOCK_BYTES, cacheBytes: 0 };
    this.machine = new ReplayMachine(small, moments);
    this.machine.open();
    this.machine.settle();
    this.machine.onFile = ({ operation, path }) => {
      if (this.isFailing && operation === 'write' && path === TREE_FILE) throw errnoError('ENOSPC', 'write', path);
    };
  }

  private see(invariants: readonly string[], text: string): void {
    for (const invariant of invariants) {
      if (!this.observed.some((one) => one.invariant === invariant)) this.observed.push({ invariant, text });
    }
  }

  private interpret(text: string, otherwise: readonly string[]): void {
    this.see(MEANINGS.find(([pattern]) => pattern.test(text))?.[1] ?? otherwise, text);
  }

  run(calls: readonly Call[]): readonly Observed[] {
    const { machine } = this;
    for (const [index, call] of calls.entries()) {
      const next = calls.at(index + 1);
      const work = (): void => this.carryOut(call);
      if (call === 'kill') machine.kill();
      else if (call === 'cut') {
        if (!machine.cut(`${index}`)) return [];
      } else if (next === 'kill' || next === 'cut') machine.untilStopped(work);
      else work();
      if (this.observed.length > 0) break;
    }
    return this.observed;
  }

  private carryOut(call: Call): void {
    const { machine } = this;
    try {
      if (call === 'build') this.build();
      else if (call === 'failing-build') this.failingBuild();
      else if (call === 'open-reader') this.openReader();
      else if (call === 'read') this.read();
      else if (call === 'open') this.open();
      else machine.engine.close();
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_ASSERTION') && !isLightningError(error, 'LIGHTNING_CORRUPTION'))
        throw error;
      this.interpret(error.message, ['TypeOK']);
    }
  }

  /** Rewrites two rows, and puts new ones before them, so that no page holds what it held in the build before. */
  private build(): void {
    const { engine } = this.machine;
    const number = ++this.builds;
    const value = `v${number}`;
    const keys = [`a${number}x`, `a${number}y`, 'k1', 'k2'];
    this.maybe = new Map([...this.rows, ...keys.map((key) => [key, value] as const)]);
    engine.commit(
      keys.map((key) => ({ type: 'put', key: fromText(key), value: fromText(value.padEnd(VALUE_BYTES, '.')) })),
    );
    engine.compact();
    this.rows = this.maybe;
    this.account();
  }

  private failingBuild(): void {
    this.isFailing = true;
    try {
      this.build();
    } catch (error) {
      if (errnoOf(error) !== 'ENOSPC' && !isLightningError(error, 'LIGHTNING_DISK_FULL')) throw error;
    } finally {
      this.isFailing = false;
    }
    this.rows = this.maybe;
    this.account();
  }

  private openReader(): void {
    this.expectedOfScan = [...this.rows]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => `${key}=${value}`);
    this.scan = this.machine.engine.scan();
    this.step(this.scan, this.expectedOfScan[0]);
  }

  private step(scan: Scan, wanted: string): void {
    const found = scan.next() ? rowOf(scan) : 'the end';
    if (found !== wanted) this.see(['ReadersAreRight'], `the reader met ${found}, not ${wanted}`);
  }

  private read(): void {
    const { scan } = this;
    if (scan === undefined) return;
    try {
      for (const wanted of this.expectedOfScan.slice(1)) this.step(scan, wanted);
    } catch (error) {
      if (isLightningError(error, 'LIGHTNING_CORRUPTION')) this.see(['ReadersMeetTheirPages'], error.message);
      else if (isLightningError(error, 'LIGHTNING_ASSERTION')) this.see(['ReadersAreRight'], error.message);
      else throw error;
    }
  }

  private open(): void {
    const { machine } = this;
    try {
      machine.open();
    } catch (error) {
      if (!isLightningError(error)) throw error;
      // Opening reads the header and the free map, and no page of the tree.
      this.interpret(error.message, ['NamedMapIsWhole']);
      return;
    }
    this.account();
    const found = new Map<string, string>();
    try {
      for (const scan = machine.engine.scan(); scan.next();) {
        const [key, value] = rowOf(scan).split('=');
        found.set(key, value);
      }
    } catch (error) {
      if (!isLightningError(error, 'LIGHTNING_CORRUPTION')) throw error;
      this.interpret(error.message, ['NamedPagesAreWhole']);
      return;
    }
    const isRight = [this.rows, this.maybe].some((rows) => sameRows(rows, found));
    if (!isRight) this.see(['NamedPagesAreWhole'], `rows came back as no build left them: ${[...found].join(' ')}`);
  }

  /** Every block is a page of the tree, of the free map, or free. */
  private account(): void {
    const { machine } = this;
    machine.engine.checkInvariants();
    for (const { problem } of machine.findings() satisfies readonly Finding[]) {
      this.interpret(problem, ['NamedPagesAreWhole']);
    }
  }
}

function rowOf(scan: Scan): string {
  const text = new TextDecoder();
  return `${text.decode(scan.current.key())}=${text.decode(scan.current.value()).replaceAll('.', '')}`;
}

function sameRows(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

/** Replays one counterexample. @param wanted the invariant that it violates in the model */
export function replayTree(states: readonly ModelState[], wanted: string): Replay {
  const calls = treeCalls(states as unknown as readonly TreeState[]);
  const moments = new Moments();
  const observed = new Map<string, Observed>();
  let runs = 0;
  do {
    runs++;
    for (const one of new TreeRun(moments).run(calls)) observed.set(one.invariant, observed.get(one.invariant) ?? one);
  } while (!observed.has(wanted) && moments.next());
  return { calls, runs, observed: [...observed.values()] };
}
