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
import { type EvidenceBody, writeEvidence } from './evidence.ts';
import { makeDirectory } from './files.ts';
import { hashSources } from './sources-hash.ts';
import type { StageDefinition, StageOptions } from './stage-definition.ts';
import { StageRecorder } from './stage-recorder.ts';
import { readWitness } from './witness.ts';

export { FITS_CHECK } from './stage-definition.ts';
export type { StageContext, StageDefinition, StageFailure, StageOptions } from './stage-definition.ts';

/** Environment variable with the nonce that seals the evidence of one process. Removed before the stage runs. */
export const NONCE_VARIABLE = 'LIGHTNING_EVIDENCE_NONCE';

/** How long a stage may keep the process alive once its evidence is written. */
const LINGER_MILLISECONDS = 5_000;

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
    const isUnreadable =
      isLightningError(error, 'LIGHTNING_UNSUPPORTED_FORMAT') || isLightningError(error, 'LIGHTNING_EVIDENCE_REFUSED');
    if (options.mode === 'replay' && isUnreadable) {
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
  await definition.replay(recorder, witness.case, witness.recording);
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
