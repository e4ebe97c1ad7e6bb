/**
 * The time that a stage has spent, as its budget counts it. On a machine that is busy with other things a process stands
 * in line for a processor, and a budget in plain time would be gone before the minimum counts are reached. So what it
 * waited in line beyond a quarter of the time is not charged, up to three times the budget in all. The quarter is what
 * two stages side by side cost each other: a quiet run is as long as it was.
 *
 * Linux counts the time in line for each thread (`/proc/self/schedstat`, the second number, nanoseconds; of the main
 * thread, which does a stage's work). Elsewhere everything is charged.
 */
import { monotonicMilliseconds } from '../base/clock.ts';
import { readTextIfThere } from './files.ts';

const SCHEDULER_STATISTICS = '/proc/self/schedstat';
/** Waiting that belongs to any run, as a part of the time. */
const USUAL_PART = 0.25;
/** The most that a budget stretches. */
const STRETCH_MAX = 3;
/** The statistics are read this often at most. */
const READ_INTERVAL_SECONDS = 0.05;

/** Seconds that the main thread of this process has stood in line for a processor; 0 where nobody counts them. */
export function secondsInLine(): number {
  const nanoseconds = Number(readTextIfThere(SCHEDULER_STATISTICS)?.split(' ').at(1));
  return Number.isFinite(nanoseconds) ? nanoseconds / 1e9 : 0;
}

export class BudgetClock {
  private readonly wall: () => number;
  private readonly inLine: () => number;
  private readonly start: number;
  private readonly inLineAtStart: number;
  private readAt = -Infinity;
  private forgiven = 0;

  /**
   * @param wall seconds on a clock that never runs backwards
   * @param inLine seconds in line so far
   */
  constructor(wall = (): number => monotonicMilliseconds() / 1000, inLine = secondsInLine) {
    this.wall = wall;
    this.inLine = inLine;
    this.start = wall();
    this.inLineAtStart = inLine();
  }

  /** Seconds that passed. */
  wallSeconds(): number {
    return this.wall() - this.start;
  }

  /** Seconds that are charged: never more than passed, never less than a third of it, never running backwards. */
  chargedSeconds(): number {
    const passed = this.wallSeconds();
    if (passed - this.readAt >= READ_INTERVAL_SECONDS) {
      this.readAt = passed;
      const excess = this.inLine() - this.inLineAtStart - passed * USUAL_PART;
      this.forgiven = Math.max(this.forgiven, Math.min(excess, passed * (1 - 1 / STRETCH_MAX)));
    }
    return passed - this.forgiven;
  }
}
