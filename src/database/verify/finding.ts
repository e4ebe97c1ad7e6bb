/** What a damaged file says of itself: where, what was expected, what was found. */
export interface Finding {
  /** `damage`: bytes are not what was written. `unclean`: left by a stop without a close, or by an older file put in place. */
  readonly severity: 'damage' | 'unclean';
  readonly file: string;
  /** Bytes from the start of the file; `undefined` when it concerns the whole file. */
  readonly offset: number | undefined;
  readonly problem: string;
}
