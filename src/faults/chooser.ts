/**
 * Who decides what survives a power cut. crash-states.ts asks questions; a chooser answers each with a number, and keeps
 * the answers, so that a crash state is a short list of numbers that can be replayed and shrunk.
 *
 * In every question 0 is the oldest state (nothing survived) and greater numbers are newer; for a write 1 is all of it
 * and 2 a part.
 */
import { assert } from '../base/assert.ts';
import type { Prng } from '../base/prng.ts';

/**
 * name    whether one directory operation survived (`strict`)
 * names   how many did, counted from the oldest (`journaled`, `ext4`)
 * size    which of the sizes that a file has had is on disk
 * write   whether the bytes of one write are: 0 none, 1 all, 2 torn
 * sector  whether one sector of a torn write is
 */
export type Question = 'name' | 'names' | 'size' | 'write' | 'sector';

/** Answers to the questions of one crash state after another. */
export abstract class Chooser {
  private answers: number[] = [];

  /** The answers of the crash state begun last. */
  get choices(): readonly number[] {
    return this.answers;
  }

  /** Called when a crash state begins. */
  begin(): void {
    this.answers = [];
  }

  /**
   * One answer from 0 to `optionCount` − 1.
   * @param index place of the question in its group (the operations, a file's writes, the sectors of a write)
   * @param total size of that group
   */
  choose(question: Question, optionCount: number, index: number, total: number): number {
    assert(optionCount >= 2, 'a question has two answers at least', optionCount);
    assert(index >= 0 && index < total, 'a question stands inside its group', index, total);
    const answer = this.decide(question, optionCount, index, total);
    assert(
      Number.isInteger(answer) && answer >= 0 && answer < optionCount,
      'an answer is offered',
      answer,
      optionCount,
    );
    this.answers.push(answer);
    return answer;
  }

  protected abstract decide(question: Question, optionCount: number, index: number, total: number): number;
}

type Mood = 'all lost' | 'all kept' | 'last lost' | 'prefix' | 'subset' | 'torn';
const MOODS: readonly Mood[] = ['all lost', 'all kept', 'last lost', 'prefix', 'subset', 'torn'];
const MOOD_WEIGHTS = [2, 3, 2, 3, 3, 2];
/** Sectors of one page, which tear together when pages do. */
const SECTORS_PER_PAGE = 8;

/**
 * Draws states with weight on the ones that break engines: names, sizes and data each get a mood of their own, and data a
 * new one at some files, so that "renamed, but empty" and "the log is there, the table is not" come up often.
 */
export class RandomChooser extends Chooser {
  private readonly random: Prng;
  private nameMood: Mood = 'subset';
  private sizeMood: Mood = 'subset';
  private dataMood: Mood = 'subset';
  private keptCount = 0;
  private sectorShape = 0;
  private sectorCut = 0;
  private pageKept = false;

  constructor(random: Prng) {
    super();
    this.random = random;
  }

  override begin(): void {
    super.begin();
    this.nameMood = this.mood();
    this.sizeMood = this.mood();
    this.dataMood = this.mood();
  }

  protected decide(question: Question, optionCount: number, index: number, total: number): number {
    switch (question) {
      case 'name':
        return this.one(this.nameMood, index, total);
      case 'names':
        return this.newest(this.nameMood, optionCount);
      case 'size':
        if (this.random.chance(0.3)) this.dataMood = this.mood();
        if (this.random.chance(0.3)) this.sizeMood = this.mood();
        return this.newest(this.sizeMood, optionCount);
      case 'write':
        if (this.dataMood === 'torn') return optionCount - 1;
        if (this.dataMood === 'subset') return this.random.below(optionCount);
        return this.one(this.dataMood, index, total);
      case 'sector':
        return this.sector(index, total);
    }
  }

  private mood(): Mood {
    return MOODS[this.random.weighted(MOOD_WEIGHTS)];
  }

  /** One of a group of things that are there or not. */
  private one(mood: Mood, index: number, total: number): number {
    if (index === 0) this.keptCount = this.random.below(total + 1);
    switch (mood) {
      case 'all lost':
        return 0;
      case 'all kept':
        return 1;
      case 'last lost':
        return index === total - 1 ? 0 : 1;
      case 'prefix':
        return index < this.keptCount ? 1 : 0;
      case 'subset':
      case 'torn':
        return this.random.below(2);
    }
  }

  /** How far along an order of states the disk got. */
  private newest(mood: Mood, optionCount: number): number {
    switch (mood) {
      case 'all lost':
        return 0;
      case 'all kept':
      case 'torn':
        return optionCount - 1;
      case 'last lost':
        return optionCount - 2;
      case 'prefix':
      case 'subset':
        return this.random.below(optionCount);
    }
  }

  /** A torn write: its beginning, its end, whole pages of it, or any sectors. */
  private sector(index: number, total: number): number {
    if (index === 0) {
      this.sectorShape = this.random.below(4);
      this.sectorCut = this.random.between(1, total);
    }
    if (index % SECTORS_PER_PAGE === 0) this.pageKept = this.random.chance(0.5);
    if (this.sectorShape === 0) return index < this.sectorCut ? 1 : 0;
    if (this.sectorShape === 1) return index < this.sectorCut ? 0 : 1;
    if (this.sectorShape === 2) return this.pageKept ? 1 : 0;
    return this.random.below(2);
  }
}

/**
 * Walks all states, one after another:
 * `do { disk.crashImage(chooser) } while (chooser.next())` — an odometer over the answers, the last one turning fastest.
 */
export class EnumeratingChooser extends Chooser {
  private path: number[] = [];
  private readonly optionCounts: number[] = [];
  private depth = 0;

  override begin(): void {
    super.begin();
    this.depth = 0;
  }

  /** Moves on to the next state; `false` when all have been walked. */
  next(): boolean {
    assert(this.depth === this.path.length, 'a state is walked to its end before the next', this.depth);
    while (this.path.length > 0) {
      const last = this.path.length - 1;
      if (this.path[last] + 1 < this.optionCounts[last]) {
        this.path[last]++;
        return true;
      }
      this.path.pop();
      this.optionCounts.pop();
    }
    return false;
  }

  protected decide(_question: Question, optionCount: number): number {
    if (this.depth === this.path.length) {
      this.path.push(0);
      this.optionCounts.push(optionCount);
    }
    assert(this.optionCounts[this.depth] === optionCount, 'the same answers lead to the same questions', optionCount);
    return this.path[this.depth++];
  }
}

/**
 * Repeats a state from its list of choices. Where the list does not fit (it was shrunk, or the run before it was), an
 * answer is cut to the greatest one there is, and missing ones are 0.
 */
export class ReplayChooser extends Chooser {
  private readonly list: readonly number[];
  private position = 0;
  private fitsSoFar = true;

  constructor(list: readonly number[]) {
    super();
    this.list = list;
  }

  override begin(): void {
    super.begin();
    this.position = 0;
    this.fitsSoFar = true;
  }

  /** Whether the list answered exactly the questions of the state replayed last. */
  get fits(): boolean {
    return this.fitsSoFar && this.position === this.list.length;
  }

  protected decide(_question: Question, optionCount: number): number {
    const answer = this.list[this.position++] ?? -1;
    if (answer < 0 || answer >= optionCount) this.fitsSoFar = false;
    return Math.max(0, Math.min(answer, optionCount - 1));
  }
}
