/** What a run of the gate found, as plain data: `verdict.json` is this, and the page is drawn from it alone. */
import type { Detection } from './detection.ts';
import type { Evidence, Verdict } from './evidence.ts';

/** What became of one planted bug under one stage. */
export interface ControlResult {
  readonly name: string;
  readonly component: string;
  readonly recreates: string;
  readonly failureClass: string;
  readonly difficulty: string;
  /** `broken`: no verdict about the harness can be drawn (load error, timeout, hook not in force). */
  readonly outcome: 'caught' | 'survived' | 'broken';
  readonly detail: string;
  /** Seconds until the failure was reported, when it was. */
  readonly secondsToKill: number | undefined;
  readonly operations: number;
  readonly story: readonly string[];
  readonly witness: string;
  /** The clean engine failed the case too: then it is a finding about the engine, not about the planted bug. */
  readonly cleanEngineFails: boolean;
}

/** Why a process of a stage gave no evidence that counts. */
export interface Refusal {
  /** A reason of the evidence reader, or how the process ended. */
  readonly reason: string;
  readonly detail: string;
}

/** Whether one seed gave one event hash in two processes, and another seed another. */
export interface RepetitionResult {
  readonly outcome: 'repeats' | 'differs' | 'ignores-seed' | 'broken' | 'not-promised';
  readonly detail: string;
}

/** What the null edit did. */
export interface NullEditResult {
  readonly outcome: 'passed' | 'failed' | 'broken' | 'not-run';
  readonly detail: string;
}

/** Everything collected about a stage, before it is judged. */
export interface StageCollected {
  readonly evidence: Evidence | undefined;
  readonly refusal: Refusal | undefined;
  readonly repetition: RepetitionResult;
  readonly nullEdit: NullEditResult;
  readonly controls: readonly ControlResult[];
}

/** A count against its minimum. */
export interface MinimumResult {
  readonly name: string;
  readonly minimum: number;
  readonly actual: number;
}

/** A stage and what the gate says about it. */
export interface StageResult extends StageCollected {
  readonly name: string;
  readonly title: string;
  readonly question: string;
  readonly required: boolean;
  /** `missing`: listed, but its program is not there. `not-run`: left out by the profile or by the command. */
  readonly status: 'judged' | 'missing' | 'not-run' | 'interrupted';
  readonly verdict: Verdict;
  /** The harness broke: no verdict, exit 3. */
  readonly broken: boolean;
  readonly reasons: readonly string[];
  readonly unknownChecks: number;
  readonly minimums: readonly MinimumResult[];
  readonly seed: number;
  readonly budgetSeconds: number;
  readonly durationSeconds: number;
  /** Commands that replay the witnesses. */
  readonly replays: readonly string[];
  /** Pages that show its failures, as paths beside the report. */
  readonly pictures?: readonly string[];
}

/** One sabotage of the harness and whether the gate refused to pass. */
export interface SabotageResult {
  readonly name: string;
  readonly title: string;
  readonly refused: boolean;
  readonly detail: string;
}

/** The self-check of the gate: the untouched miniature stage passes, each sabotaged one does not. */
export interface SelfCheckResult {
  readonly untouchedPasses: boolean;
  readonly untouchedDetail: string;
  readonly sabotages: readonly SabotageResult[];
  readonly durationSeconds: number;
}

/** A whole run. */
export interface GateReport {
  readonly format: 'lightning-db verdict';
  readonly version: 1;
  readonly profile: string;
  readonly seed: number;
  readonly startedAt: string;
  readonly durationSeconds: number;
  readonly interrupted: boolean;
  readonly subject: { readonly engine: string; readonly version: string };
  readonly runtime: { readonly node: string; readonly platform: string; readonly architecture: string };
  readonly weaken: string | undefined;
  readonly withBug: string | undefined;
  readonly verdict: Verdict;
  readonly exitCode: number;
  readonly headline: string;
  readonly stages: readonly StageResult[];
  readonly selfCheck: SelfCheckResult | undefined;
  /** The newest table of detection that is kept with the sources; not of this run. */
  readonly detection: Detection | undefined;
}
