/**
 * The frame of a stage program. A stage is a process of its own: it explores, records what it saw through a
 * {@link StageContext}, and leaves one evidence file; the verdict is for the gate to give.
 *
 * `node <stage file> [--seed N] [--profile P] [--budget-seconds S] [--evidence FILE] [--work DIR] [--replay FILE] [--hash]`
 *
 * Exit codes: 0 evidence was written, whatever it says · 2 unusable options · 3 the harness itself broke ·
 * 4 a saved case that this version cannot read.
 * Started by hand, without `--evidence`, it prints a summary and draws a fresh seed.
 */
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isLightningError, LightningError } from '../base/errors.ts';
import { freshSeed } from '../base/prng.ts';
import { type EvidenceBody, type Verdict, writeEvidence } from './evidence.ts';
import { makeDirectory } from './files.ts';
import { hashSources } from './sources-hash.ts';
import { StageRecorder } from './stage-recorder.ts';
import { readWitness } from './witness.ts';

/** Environment variable with the nonce that seals the evidence of one process. Removed before the stage runs. */
export const NONCE_VARIABLE = 'LIGHTNING_EVIDENCE_NONCE';

/** How long a stage may keep the process alive once its evidence is written. */
const LINGER_MILLISECONDS = 5_000;

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
   * Runs one saved case again; reports through `context.fail`, or returns when the case passes.
   * @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT` for a case that this version cannot read
   */
  replay(context: StageContext, caseJson: unknown): Promise<void>;
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

function naturalNumber(name: string, text: string): number {
  const value = Number(text);
  if (text !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `--${name} takes a natural number`, { value: text });
}

/** Reads the command line of a stage. */
export function parseStageOptions(argv: readonly string[]): StageOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seed: { type: 'string' },
      profile: { type: 'string', default: 'manual' },
      'budget-seconds': { type: 'string', default: '10' },
      evidence: { type: 'string' },
      work: { type: 'string' },
      replay: { type: 'string' },
      hash: { type: 'boolean', default: false },
    },
  });
  const budgetSeconds = Number(values['budget-seconds']);
  if (!(budgetSeconds >= 0 && Number.isFinite(budgetSeconds))) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', '--budget-seconds takes a number', { budgetSeconds });
  }
  return {
    seed: values.seed === undefined ? freshSeed() : naturalNumber('seed', values.seed),
    profile: values.profile,
    budgetSeconds,
    workDirectory: resolve(values.work ?? join(tmpdir(), `lightning-db-stage-${process.pid}`)),
    mode: values.replay !== undefined ? 'replay' : values.hash ? 'hash' : 'run',
    evidence: values.evidence,
    replay: values.replay,
  };
}

/**
 * Runs a stage as a program; every stage file ends with `await stageMain({ … })`.
 * Resolves when the evidence is written, or ends the process with 2, 3 or 4.
 */
export async function stageMain(definition: StageDefinition): Promise<void> {
  const nonce = process.env[NONCE_VARIABLE] ?? '';
  delete process.env[NONCE_VARIABLE];
  process.on('uncaughtException', (error) => endBroken(definition.name, error));
  process.on('unhandledRejection', (reason) => endBroken(definition.name, reason));
  let options: StageOptions;
  try {
    options = parseStageOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${definition.name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  }
  try {
    makeDirectory(options.workDirectory);
    const recorder = new StageRecorder(definition, options, hashSources(process.argv[1]));
    if (options.replay === undefined) await definition.run(recorder);
    else await runReplay(definition, recorder, options.replay);
    const body = recorder.body();
    if (options.evidence === undefined) printSummary(body);
    else writeEvidence(options.evidence, body, nonce);
  } catch (error) {
    if (options.mode === 'replay' && isLightningError(error, 'LIGHTNING_UNSUPPORTED_FORMAT')) {
      process.stderr.write(`${error.message}\n`);
      process.exit(4);
    }
    endBroken(definition.name, error);
  }
  setTimeout(() => {
    process.stderr.write(`${definition.name}: still holds resources after its evidence was written\n`);
    process.exit(3);
  }, LINGER_MILLISECONDS).unref();
}

async function runReplay(definition: StageDefinition, recorder: StageRecorder, path: string): Promise<void> {
  const witness = readWitness(path);
  if (witness.stage !== definition.name) {
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `a witness of the stage ${witness.stage}`, { path });
  }
  await definition.replay(recorder, witness.case);
  recorder.count('cases replayed');
  recorder.check('replay', recorder.failureCount > 0 ? 'fail' : 'pass', 'one saved case run again');
}

function endBroken(name: string, error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${name}: the harness broke, which is no verdict\n${text}\n`);
  process.exit(3);
}

function printSummary(body: EvidenceBody): void {
  const lines = [
    `${body.verdict.toUpperCase()} ${body.stage} (seed ${body.seed}, ${body.durationSeconds.toFixed(1)} s)`,
  ];
  for (const check of body.checks) lines.push(`  ${check.verdict.padEnd(8)} ${check.name}: ${check.detail}`);
  for (const [name, value] of Object.entries(body.counts)) lines.push(`  ${String(value).padStart(12)} ${name}`);
  for (const figure of body.figures)
    lines.push(`  ${figure.value.toPrecision(4).padStart(12)} ${figure.unit} ${figure.name}`);
  for (const [name, value] of Object.entries(body.situations)) if (value === 0) lines.push(`  not reached: ${name}`);
  for (const text of body.notTested) lines.push(`  not tested: ${text}`);
  if (body.eventHash !== '') lines.push(`  event hash ${body.eventHash}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}
