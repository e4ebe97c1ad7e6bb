/**
 * The search for an order of operations that respects real time and that a machine accepts: Wing and Gong, "Testing and
 * Verifying Concurrent Objects" (1993), with the memory of visited configurations of Lowe, "Testing for Linearizability"
 * (2017). Exponential in the worst case, hence the budget.
 *
 * Two things need no choice. An operation that only reads is placed as soon as it fits: whatever order explains the rest
 * explains it still. A write that nobody read goes right before the next one that overwrites it.
 *
 * Power cuts (Izraelevitz, Mendes and Scott, "Linearizability of Persistent Memory Objects", 2016, buffered durable
 * linearizability): in each era that ends in a crash the search places one cut; what is placed behind it is lost at the
 * crash. Operations marked durable must stand before the cut.
 *
 * Invariants: 1. `next` lists, in the order of events, the calls and returns of what is not placed and the crashes to come.
 * 2. Only what stands before the first return or crash in that list may be placed.
 */
import { assert } from '../base/assert.ts';
import { SEARCH_WORDS_MAX } from './limits.ts';
import { VisitedSet, zobrist } from './visited.ts';

/** An object that the search drives forward and back; operations and eras by number. */
export interface Machine {
  /** Does operation i if it could have answered as it did; otherwise nothing changes. */
  apply(i: number): boolean;
  /** Takes back the last one that was applied. */
  undo(i: number): void;
  /** Whether operation i changes no state in which it is possible: it may be placed as soon as it fits. */
  isReadOnly(i: number): boolean;
  /**
   * Operations that may be placed right before i whenever they are possible there, because i overwrites them and nobody
   * read what they wrote.
   */
  isHiddenBy(i: number, hidden: number): boolean;
  /** Hash of the state, kept incrementally. */
  readonly hash: number;
  /** Writes the state's words and returns the place behind them. */
  saveState(into: Int32Array, at: number): number;
  readonly stateWords: number;
  /** Of an object that power cuts can meet. */
  readonly cuts?: PowerCuts;
}

/** A power cut: remembers the state that survives, for the crash to bring back. */
export interface PowerCuts {
  cut(): void;
  undoCut(): void;
  crash(): void;
  undoCrash(): void;
}

/** Operations as the search sees them: those that must be placed first, each part in the order of calls. */
export interface Timed {
  readonly count: number;
  readonly requiredCount: number;
  readonly call: Float64Array;
  readonly return: Float64Array;
  /** Indices of the events of crashes, rising; empty when nothing is ever lost. */
  readonly crashes: readonly number[];
  /** For each operation: 1 when it must survive the next crash. */
  readonly durable: Uint8Array;
}

/** Bounds of one search. */
export interface SearchBudget {
  /** Operations tried. */
  readonly stepsMax: number;
  /** Configurations remembered. */
  readonly statesMax: number;
  /** 32-bit words of memory for them; 64 Mi words by default. */
  readonly wordsMax?: number;
}

/** What came out. `order` and `blocked` are of the longest prefix found; numbers below zero are cuts and crashes. */
export interface SearchResult {
  readonly verdict: 'valid' | 'invalid' | 'unknown';
  readonly reason: string;
  readonly order: readonly number[];
  /** Operation that could not return any more; −1 for a crash. */
  readonly blocked: number;
  readonly steps: number;
  readonly states: number;
}

const [CUT, CRASH] = [-1, -2];
const HEAD = 0;
/** Why an operation is placed: it was chosen, it needs no choice, or it is hidden by the chosen one that follows it. */
const [CHOSEN, FORCED, HIDDEN] = [0, 1, 2];

/** One search; made for one use. */
class Search {
  private readonly timed: Timed;
  private readonly machine: Machine;
  private readonly budget: SearchBudget;
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  /** Completed operations called before an entry, for returns and crashes. */
  private readonly calledBefore: Int32Array;
  private readonly eraOf: Int32Array;
  private readonly placed: Int32Array;
  private readonly words: Int32Array;
  private readonly visited: VisitedSet;
  private readonly stack: number[] = [];
  private readonly why: number[] = [];
  private placedHash = 0;
  private era = 0;
  private cutTaken = false;
  private steps = 0;
  private best: number[] = [];
  private blocked = -1;
  /** The stack has not been below this height since the best was copied. */
  private common = 0;

  constructor(timed: Timed, machine: Machine, budget: SearchBudget) {
    this.timed = timed;
    this.machine = machine;
    this.budget = budget;
    const entries = 1 + 2 * timed.count + timed.crashes.length;
    this.next = new Int32Array(entries).fill(-1);
    this.previous = new Int32Array(entries).fill(-1);
    this.calledBefore = new Int32Array(entries);
    this.placed = new Int32Array(2 * (timed.count >> 5) + 4);
    this.words = new Int32Array(this.placed.length + machine.stateWords + 8);
    this.visited = new VisitedSet(budget.wordsMax ?? SEARCH_WORDS_MAX);
    this.eraOf = Int32Array.from(timed.call, (call) => timed.crashes.filter((crash) => crash < call).length);
    this.link();
  }

  run(): SearchResult {
    let from = this.arrive();
    for (;;) {
      if (from === 'full') return this.result('unknown', 'memory for visited configurations ended');
      if (from === 'found') return this.result('valid', '');
      if (this.steps > this.budget.stepsMax)
        return this.result('unknown', `no order found in ${this.budget.stepsMax} steps`);
      if (this.visited.size > this.budget.statesMax) {
        return this.result('unknown', `no order found in ${this.budget.statesMax} states`);
      }
      const node: number = from === 'seen' ? this.backtrack() : from === 'new' ? this.next[HEAD] : from;
      if (node === -2) return this.result('invalid', 'no order explains all operations');
      from = this.choose(node);
    }
  }

  /** Tries the operations from an entry on, then the cut or the crash. @returns what {@link arrive} says, or where to go on */
  private choose(from: number): ReturnType<Search['arrive']> {
    let node = from;
    for (; node !== -1 && this.isCall(node); node = this.next[node]) {
      const i = (node - 1) >> 1;
      if (!this.mayPlace(i) || !this.machine.apply(i)) continue;
      this.machine.undo(i);
      this.hideBefore(i);
      const fits = this.machine.apply(i);
      assert(fits, 'hidden writes do not matter to what overwrites them', i);
      this.place(i, CHOSEN);
      return this.arrive();
    }
    this.remember(node);
    if (this.era < this.timed.crashes.length && node !== -1) {
      if (!this.cutTaken) {
        this.push(CUT, FORCED);
        this.cutTaken = true;
        this.cuts.cut();
        return this.arrive();
      }
      if (node > 2 * this.timed.count) {
        this.push(CRASH, FORCED);
        this.unlink(node);
        this.cuts.crash();
        this.era++;
        this.cutTaken = false;
        return this.arrive();
      }
    }
    return this.backtrack();
  }

  /** Places what needs no choice, then looks whether this configuration is known. */
  private arrive(): 'new' | 'seen' | 'full' | 'found' | number {
    let node = this.next[HEAD];
    let lowest = -1;
    for (; node !== -1 && this.isCall(node); node = this.next[node]) {
      const i = (node - 1) >> 1;
      const completed = i < this.timed.requiredCount;
      if (completed && this.machine.isReadOnly(i) && this.mayPlace(i) && this.machine.apply(i)) this.place(i, FORCED);
      else if (completed && lowest < 0) lowest = i;
    }
    if (node === -1 && lowest < 0) return 'found';
    const calledBefore = node === -1 ? this.timed.requiredCount : this.calledBefore[node];
    return this.visit(lowest < 0 ? calledBefore : lowest, calledBefore);
  }

  private visit(lowest: number, calledBefore: number): 'new' | 'seen' | 'full' {
    const { words, placed, timed } = this;
    let at = 0;
    words[at++] = lowest >> 5;
    words[at++] = 2 * this.era + Number(this.cutTaken);
    for (let w = lowest >> 5; w <= calledBefore >> 5; w++) words[at++] = placed[w];
    const unknowns = (timed.requiredCount >> 5) + 1;
    for (let w = unknowns; w <= unknowns + ((timed.count - timed.requiredCount) >> 5); w++) words[at++] = placed[w];
    at = this.machine.saveState(words, at);
    const hash = this.placedHash ^ this.machine.hash ^ zobrist(0x7fff0000 + words[1]);
    return this.visited.add(hash, words, at);
  }

  /** Takes back until an operation that was chosen, and what it hides. @returns the entry behind it; −2: there is none */
  private backtrack(): number {
    let chosen = -1;
    while (this.stack.length > 0 && (chosen < 0 || this.why.at(-1) === HIDDEN)) {
      const i = this.stack.pop() ?? 0;
      const why = this.why.pop();
      if (i === CUT) {
        this.cutTaken = false;
        this.cuts.undoCut();
      } else if (i === CRASH) {
        this.era--;
        this.cutTaken = true;
        this.cuts.undoCrash();
        this.relink(1 + 2 * this.timed.count + this.era);
      } else {
        this.takeBack(i);
        if (why === CHOSEN) chosen = i;
      }
    }
    this.common = Math.min(this.common, this.stack.length);
    return chosen < 0 ? -2 : this.next[1 + 2 * chosen];
  }

  private takeBack(i: number): void {
    this.machine.undo(i);
    this.flip(i);
    this.relink(1 + 2 * i);
    if (i < this.timed.requiredCount) this.relink(2 + 2 * i);
  }

  private hideBefore(i: number): void {
    for (let node = this.next[HEAD]; node !== -1 && this.isCall(node); node = this.next[node]) {
      const hidden = (node - 1) >> 1;
      if (hidden === i || !this.machine.isHiddenBy(i, hidden) || !this.mayPlace(hidden)) continue;
      if (this.machine.apply(hidden)) this.place(hidden, HIDDEN);
    }
  }

  private get cuts(): PowerCuts {
    assert(this.machine.cuts !== undefined, 'the object knows power cuts');
    return this.machine.cuts;
  }

  private mayPlace(i: number): boolean {
    this.steps++;
    return this.eraOf[i] === this.era && !(this.cutTaken && this.timed.durable[i] === 1);
  }

  private isCall(node: number): boolean {
    return (node & 1) === 1 && node <= 2 * this.timed.count;
  }

  private place(i: number, why: number): void {
    this.push(i, why);
    this.flip(i);
    // The return first: a scan that stands at the call goes on behind both.
    if (i < this.timed.requiredCount) this.unlink(2 + 2 * i);
    this.unlink(1 + 2 * i);
  }

  private push(what: number, why: number): void {
    this.stack.push(what);
    this.why.push(why);
  }

  private flip(i: number): void {
    const { requiredCount } = this.timed;
    const bit = i < requiredCount ? i : (((requiredCount >> 5) + 1) << 5) + i - requiredCount;
    this.placed[bit >> 5] ^= 1 << (bit & 31);
    this.placedHash ^= zobrist(0x40000000 + i);
  }

  private unlink(node: number): void {
    const [before, after] = [this.previous[node], this.next[node]];
    this.next[before] = after;
    if (after !== -1) this.previous[after] = before;
  }

  private relink(node: number): void {
    this.next[this.previous[node]] = node;
    if (this.next[node] !== -1) this.previous[this.next[node]] = node;
  }

  private remember(node: number): void {
    if (this.stack.length <= this.best.length && this.best.length > 0) return;
    this.best.length = Math.min(this.common, this.best.length);
    for (let at = this.best.length; at < this.stack.length; at++) this.best.push(this.stack[at]);
    this.common = this.stack.length;
    this.blocked = node === -1 || node > 2 * this.timed.count ? -1 : (node - 2) >> 1;
  }

  private result(verdict: SearchResult['verdict'], reason: string): SearchResult {
    const order = verdict === 'valid' ? this.stack : this.best;
    return { verdict, reason, order, blocked: this.blocked, steps: this.steps, states: this.visited.size };
  }

  /** Links calls, returns and crashes in the order of events. */
  private link(): void {
    const { count, requiredCount, call, return: ends, crashes } = this.timed;
    const at = new Float64Array(this.next.length);
    const entries: number[] = [];
    for (let i = 0; i < count; i++) {
      at[1 + 2 * i] = call[i];
      entries.push(1 + 2 * i);
      if (i >= requiredCount) continue;
      at[2 + 2 * i] = ends[i];
      entries.push(2 + 2 * i);
    }
    crashes.forEach((crash, era) => {
      at[1 + 2 * count + era] = crash;
      entries.push(1 + 2 * count + era);
    });
    entries.sort((a, b) => at[a] - at[b] || Number(this.isCall(b)) - Number(this.isCall(a)));
    let [last, called] = [HEAD, 0];
    for (const node of entries) {
      if (this.isCall(node) && (node - 1) >> 1 < requiredCount) called++;
      this.calledBefore[node] = called;
      this.next[last] = node;
      this.previous[node] = last;
      last = node;
    }
  }
}

/** Searches for an order. Cost: steps and memory within the budget. */
export function searchOrder(timed: Timed, machine: Machine, budget: SearchBudget): SearchResult {
  return new Search(timed, machine, budget).run();
}
