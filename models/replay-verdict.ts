/** What replaying a counterexample against the real engine showed. */

/** An invariant of the model, seen to be false on the engine. */
export interface Observed {
  readonly invariant: string;
  readonly text: string;
}

/** A replayed counterexample. */
export interface Replay {
  /** What the client and the machine did, in order. */
  readonly calls: readonly string[];
  /** In how many ways: moments of a stop, times what a power cut left. */
  readonly runs: number;
  /** Invariants that the engine broke; none when it answers as the correct model. */
  readonly observed: readonly Observed[];
}
