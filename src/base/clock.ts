/** Time enters by constructor argument; this file alone asks the operating system for it. */

/** Milliseconds since 1970, possibly negative, possibly jumping both ways. */
export interface Clock {
  now(): number;
}

/** The wall clock. */
export const systemClock: Clock = { now: () => Date.now() };

/** A clock that moves only when told to. */
export class ManualClock implements Clock {
  private milliseconds: number;

  constructor(milliseconds = 0) {
    this.milliseconds = milliseconds;
  }

  now(): number {
    return this.milliseconds;
  }

  set(milliseconds: number): void {
    this.milliseconds = milliseconds;
  }

  advance(milliseconds: number): void {
    this.milliseconds += milliseconds;
  }
}

/** Milliseconds on a clock that never runs backwards, for durations. */
export function monotonicMilliseconds(): number {
  return performance.now();
}

/** CPU time (user and system) of this process so far, in seconds. */
export function cpuSeconds(): number {
  const usage = process.cpuUsage();
  return (usage.user + usage.system) / 1e6;
}

/** CPU time of the calling thread alone, in seconds: without the threads that collect garbage and compile. */
export function threadCpuSeconds(): number {
  const usage = process.threadCpuUsage();
  return (usage.user + usage.system) / 1e6;
}
