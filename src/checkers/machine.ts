/** What the search needs of an object: try an operation, take it back, and tell states apart. */

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
  /** Of a power cut: remembers the state that survives, for the crash to bring back. */
  cut(): void;
  undoCut(): void;
  crash(): void;
  undoCrash(): void;
}
