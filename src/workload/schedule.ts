/**
 * A simulated schedule for clients in one process: whoever pauses waits until the schedule picks it, at random from a
 * seed, so that every interleaving has a seed. For engines in memory; a real engine brings its own schedule.
 */
import type { Prng } from '../base/prng.ts';

/** Decides who runs next. */
export class SimulatedSchedule {
  private readonly prng: Prng;
  private readonly waiting: (() => void)[] = [];

  constructor(prng: Prng) {
    this.prng = prng;
  }

  /** Waits for one's turn. A field, so that it can be handed on. */
  readonly pause = (): Promise<void> =>
    new Promise((resolve) => {
      this.waiting.push(resolve);
    });

  /**
   * Runs clients until all have ended. A client that waits for something else than its turn is waited for; whoever else
   * waits for a turn gets it until then and is left waiting.
   */
  async run(clients: readonly Promise<void>[]): Promise<void> {
    let running = true;
    const all = Promise.all(clients).finally(() => {
      running = false;
    });
    // A rejection is seen at the end; until then it must not count as unhandled.
    all.catch(() => undefined);
    while (running) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.waiting.length === 0) continue;
      const [next] = this.waiting.splice(this.prng.below(this.waiting.length), 1);
      next();
    }
    await all;
  }
}
