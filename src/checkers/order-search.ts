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
  hash(): number;
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
  readonly durable?: Uint8Array | undefined;
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

/** Searches for an order. Cost: steps and memory within the budget. */
export function searchOrder(timed: Timed, machine: Machine, budget: SearchBudget): SearchResult {
  const { count, requiredCount, crashes, durable } = timed;
  const { cuts } = machine;
  assert(crashes.length === 0 || cuts !== undefined, 'the object knows power cuts');
  const firstCrash = 1 + 2 * count;
  // `calledBefore`: completed operations called before an entry, for returns and crashes.
  const [next, previous, calledBefore] = Array.from({ length: 3 }, () =>
    new Int32Array(firstCrash + crashes.length).fill(-1),
  );
  const eraOf = new Int32Array(count);
  for (const crash of crashes) for (let i = 0; i < count; i++) if (timed.call[i] > crash) eraOf[i]++;
  const placed = new Int32Array(2 * (count >> 5) + 4);
  const words = new Int32Array(placed.length + machine.stateWords + 8);
  const visited = new VisitedSet(budget.wordsMax ?? SEARCH_WORDS_MAX);
  const [stack, why]: [number[], number[]] = [[], []];
  let [placedHash, era, steps] = [0, 0, 0];
  let cutTaken = false;
  // The highest stack, what was blocked there, and below which height the stack has not been since it was copied.
  const best: number[] = [];
  let [blocked, common] = [-1, 0];

  const isCall = (node: number): boolean => (node & 1) === 1 && node < firstCrash;

  function mayPlace(i: number): boolean {
    steps++;
    return eraOf[i] === era && !(cutTaken && durable?.[i] === 1);
  }

  function unlink(node: number): void {
    const [before, after] = [previous[node], next[node]];
    next[before] = after;
    if (after !== -1) previous[after] = before;
  }

  function relink(node: number): void {
    next[previous[node]] = node;
    if (next[node] !== -1) previous[next[node]] = node;
  }

  function flip(i: number): void {
    const bit = i < requiredCount ? i : (((requiredCount >> 5) + 1) << 5) + i - requiredCount;
    placed[bit >> 5] ^= 1 << (bit & 31);
    placedHash ^= zobrist(0x40000000 + i);
  }

  function push(what: number, reason: number): void {
    stack.push(what);
    why.push(reason);
  }

  function place(i: number, reason: number): void {
    push(i, reason);
    flip(i);
    // The return first: a scan that stands at the call goes on behind both.
    if (i < requiredCount) unlink(2 + 2 * i);
    unlink(1 + 2 * i);
  }

  function hideBefore(i: number): void {
    for (let node = next[HEAD]; node !== -1 && isCall(node); node = next[node]) {
      const hidden = (node - 1) >> 1;
      if (hidden === i || !machine.isHiddenBy(i, hidden) || !mayPlace(hidden)) continue;
      if (machine.apply(hidden)) place(hidden, HIDDEN);
    }
  }

  /** Tries the operations from an entry on, then the cut or the crash. @returns what {@link arrive} says, or where to go on */
  function choose(from: number): ReturnType<typeof arrive> {
    let node = from;
    for (; node !== -1 && isCall(node); node = next[node]) {
      const i = (node - 1) >> 1;
      if (!mayPlace(i) || !machine.apply(i)) continue;
      machine.undo(i);
      hideBefore(i);
      const fits = machine.apply(i);
      assert(fits, 'hidden writes do not matter to what overwrites them', i);
      place(i, CHOSEN);
      return arrive();
    }
    remember(node);
    if (era === crashes.length || node === -1) return backtrack();
    if (!cutTaken) {
      push(CUT, FORCED);
      cuts?.cut();
    } else if (node < firstCrash) return backtrack();
    else {
      push(CRASH, FORCED);
      unlink(node);
      cuts?.crash();
      era++;
    }
    cutTaken = !cutTaken;
    return arrive();
  }

  /** Places what needs no choice, then looks whether this configuration is known. */
  function arrive(): 'new' | 'seen' | 'full' | 'found' | number {
    let node = next[HEAD];
    let lowest = -1;
    for (; node !== -1 && isCall(node); node = next[node]) {
      const i = (node - 1) >> 1;
      if (i >= requiredCount) continue;
      if (machine.isReadOnly(i) && mayPlace(i) && machine.apply(i)) place(i, FORCED);
      else if (lowest < 0) lowest = i;
    }
    if (node === -1 && lowest < 0) return 'found';
    const before = node === -1 ? requiredCount : calledBefore[node];
    [words[0], words[1]] = [(lowest < 0 ? before : lowest) >> 5, 2 * era + Number(cutTaken)];
    let length = 2;
    for (let w = words[0]; w <= before >> 5; w++) words[length++] = placed[w];
    const unknowns = (requiredCount >> 5) + 1;
    for (let w = unknowns; w <= unknowns + ((count - requiredCount) >> 5); w++) words[length++] = placed[w];
    length = machine.saveState(words, length);
    return visited.add(placedHash ^ machine.hash() ^ zobrist(0x7fff0000 + words[1]), words, length);
  }

  /** Takes back until an operation that was chosen, and what it hides. @returns the entry behind it; −2: there is none */
  function backtrack(): number {
    let chosen = -1;
    while (stack.length > 0 && (chosen < 0 || why.at(-1) === HIDDEN)) {
      const i = stack.pop() ?? 0;
      if (why.pop() === CHOSEN) chosen = i;
      if (i >= 0) {
        machine.undo(i);
        flip(i);
        relink(1 + 2 * i);
        if (i < requiredCount) relink(2 + 2 * i);
        continue;
      }
      cutTaken = !cutTaken;
      if (i === CUT) cuts?.undoCut();
      else {
        cuts?.undoCrash();
        relink(firstCrash + --era);
      }
    }
    common = Math.min(common, stack.length);
    return chosen < 0 ? -2 : next[1 + 2 * chosen];
  }

  function remember(node: number): void {
    if (stack.length <= best.length && best.length > 0) return;
    best.length = Math.min(common, best.length);
    for (let at = best.length; at < stack.length; at++) best.push(stack[at]);
    common = stack.length;
    blocked = node === -1 || node >= firstCrash ? -1 : (node - 2) >> 1;
  }

  function result(verdict: SearchResult['verdict'], reason: string): SearchResult {
    return { verdict, reason, order: verdict === 'valid' ? stack : best, blocked, steps, states: visited.size };
  }

  // Links calls, returns and crashes in the order of events; of two at one moment the call first.
  const at = new Float64Array(next.length);
  const entries: number[] = [];
  const enter = (node: number, event: number): void => {
    at[node] = event;
    entries.push(node);
  };
  for (let i = 0; i < count; i++) enter(1 + 2 * i, timed.call[i]);
  for (let i = 0; i < requiredCount; i++) enter(2 + 2 * i, timed.return[i]);
  crashes.forEach((crash, i) => enter(firstCrash + i, crash));
  entries.sort((a, b) => at[a] - at[b] || Number(isCall(b)) - Number(isCall(a)));
  let [last, called] = [HEAD, 0];
  for (const node of entries) {
    if (isCall(node) && (node - 1) >> 1 < requiredCount) called++;
    calledBefore[node] = called;
    next[last] = node;
    previous[node] = last;
    last = node;
  }
  for (let from = arrive(); ;) {
    if (from === 'full') return result('unknown', 'memory for visited configurations ended');
    if (from === 'found') return result('valid', '');
    if (steps > budget.stepsMax) return result('unknown', `no order found in ${budget.stepsMax} steps`);
    if (visited.size > budget.statesMax) return result('unknown', `no order found in ${budget.statesMax} states`);
    const node: number = from === 'seen' ? backtrack() : from === 'new' ? next[HEAD] : from;
    if (node === -2) return result('invalid', 'no order explains all operations');
    from = choose(node);
  }
}
