/** What a stage is and what it is given; no behaviour. */
import type { Verdict } from './evidence.ts';

/** The check by which a stage says whether a saved case still fits these sources. */
export const FITS_CHECK = 'the case fits';

/** One failure: what class, in which words, and the case that replays it. */
export interface StageFailure {
  /** The signature that is kept while shrinking, for example `lost-acknowledged-write`. */
  readonly class: string;
  readonly message: string;
  /** What `replay` takes; plain JSON. */
  readonly case: unknown;
  /** The shrunk case as readable lines. */
  readonly story: readonly string[];
  /** Operations in the shrunk case. */
  readonly operations: number;
  /** How it was shrunk, in words. */
  readonly shrink?: string;
  /** What was seen while it failed, for `replay` to compare with; plain JSON. */
  readonly recording?: unknown;
  /** A page of HTML that shows it; saved beside the capsule. */
  readonly page?: string;
}

/** What a stage is given. */
export interface StageContext {
  readonly seed: number;
  readonly profile: string;
  readonly budgetSeconds: number;
  /** A folder of this process alone; witnesses go there. */
  readonly workDirectory: string;
  /** Run only a small fixed piece that depends on the seed alone, and `hash` it. */
  readonly hashOnly: boolean;
  /** Seconds of the budget that are spent, without most of what a busy machine made the stage wait (budget-clock.ts). */
  elapsedSeconds(): number;
  /** Also true once a failure was reported: a stage stops at its first. */
  outOfBudget(): boolean;
  /** Counted where the event happens. */
  count(name: string, by?: number): void;
  /** A situation that runs must reach; those marked by `sometimes` in the engine are added by themselves. */
  reached(situation: string): void;
  /** Extends the event hash; the deterministic part only. */
  hash(content: string | Uint8Array | number): void;
  figure(name: string, value: number, unit: string): void;
  /** A picture in the report. */
  series(name: string, points: readonly (readonly [number, number])[], xLabel: string, yLabel: string): void;
  /** One row of the stage; the stage's verdict is the strongest: fail, vacuous, unknown, pass. */
  check(name: string, verdict: Verdict, detail: string): void;
  /** Reports a failure; the witness is saved as JSON before anything else. */
  fail(failure: StageFailure): Promise<void>;
  /** What this stage does not show, for the report. */
  notTested(text: string): void;
  progress(text: string, done?: number, total?: number): void;
}

/** A stage. */
export interface StageDefinition {
  readonly name: string;
  /** Whether `hashOnly` runs have an event hash that depends on the seed alone. */
  readonly deterministic: boolean;
  /** Situations that the report lists as not reached when they were not. */
  readonly expectedSituations?: readonly string[];
  /** What is judged, when it is not the reference engine. */
  readonly subject?: { readonly engine: string; readonly version: string };
  /** Runs the campaign until it is out of budget or has a failure. Throwing means that the harness broke. */
  run(context: StageContext): Promise<void>;
  /**
   * Runs one saved case again; reports through `context.fail`, or returns when the case passes. What `recording` says of
   * the run that failed may be compared in checks; a check {@link FITS_CHECK} that is unknown means that the case no
   * longer meets what it was made for.
   * @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT` for a case that this version cannot read
   */
  replay(context: StageContext, caseJson: unknown, recording: unknown): Promise<void>;
}

/** The options of one process. */
export interface StageOptions {
  readonly seed: number;
  readonly profile: string;
  readonly budgetSeconds: number;
  readonly workDirectory: string;
  readonly mode: 'run' | 'hash' | 'replay';
  readonly evidence: string | undefined;
  readonly replay: string | undefined;
}
