/**
 * One process of a stage from start to accepted evidence. The gate draws a nonce for each process, hands it over in the
 * environment and accepts only evidence sealed with it: a stage that exits early, or a file edited or left over from
 * another run, does not get through.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isLightningError } from '../base/errors.ts';
import { fileInForm } from '../../planted-bugs/edits.ts';
import { type Evidence, type Expectation, readEvidence } from '../report/evidence.ts';
import { fileExists, makeDirectory, removeTree } from '../report/files.ts';
import { TALLY_VARIABLE } from '../report/planted-edits.ts';
import type { Refusal } from '../report/results.ts';
import { hashSources, sourceExtension, sourceRoot } from '../report/sources-hash.ts';
import { NONCE_VARIABLE } from '../report/stage.ts';
import { type CatalogueEntry, expectedTexts } from './catalogue.ts';
import type { StageSpecification } from './profile.ts';
import { type ProcessResult, runProcess } from './stage-process.ts';

/** What all processes of one run of the gate share. */
export interface RunContext {
  readonly profile: string;
  readonly outDirectory: string;
  readonly signal: AbortSignal;
  /** Sabotages in force in every process of the run. */
  readonly weaken: readonly CatalogueEntry[];
  /** Called as processes start, report and end. */
  readonly observer: RunObserver;
}

/** Listens to processes, for the display. */
export interface RunObserver {
  started(id: string, budgetSeconds: number): void;
  progressed(id: string, text: string): void;
  ended(id: string, text: string): void;
}

/** One process to run. */
export interface RunRequest {
  /** Distinguishes the process inside the stage: `clean`, `null-edit`, `control-…`. */
  readonly role: string;
  readonly stage: StageSpecification;
  readonly mode: Evidence['mode'];
  readonly seed: number;
  readonly budgetSeconds: number;
  readonly replayFile?: string;
  /** Planted bugs (or the null edit) in force in this process, the run's sabotages not counted. */
  readonly planted: readonly CatalogueEntry[];
  /** Something done to the evidence file before it is read; the gate's self-check edits and cuts it here. */
  readonly tamper?: (path: string) => void;
}

/** Accepted evidence, or why there is none. */
export type RunOutcome =
  | { readonly evidence: Evidence; readonly evidenceFile: string; readonly durationSeconds: number }
  | { readonly refusal: Refusal; readonly evidenceFile: string; readonly durationSeconds: number };

/** The program of a stage in the form that runs. */
export function stageProgram(stage: StageSpecification): string {
  return join(sourceRoot, fileInForm(stage.file, sourceExtension === '.js'));
}

const loaderUrl = pathToFileURL(join(sourceRoot, `planted-bugs/loader${sourceExtension}`)).href;

/** Hashes are the same for the length of a run, unless sources change under it: then they differ from the stage's. */
const hashesByProgram = new Map<string, string>();

function sourcesHashOf(program: string): string {
  const known = hashesByProgram.get(program);
  if (known !== undefined) return known;
  const { hash } = hashSources(program);
  hashesByProgram.set(program, hash);
  return hash;
}

function describeEnd(result: ProcessResult): Refusal | undefined {
  const tail = result.log.slice(-12).join('\n');
  if (result.endedBy === 'timeout') return { reason: 'timeout', detail: `ended after its time was up\n${tail}` };
  if (result.endedBy === 'interrupt') return { reason: 'interrupted', detail: 'the run was interrupted' };
  if (result.endedBy === 'signal') return { reason: 'signal', detail: `ended by ${result.signalName}\n${tail}` };
  if (result.exitCode === 0) return undefined;
  if (result.log.some((line) => line.startsWith('LIGHTNING_STALE_PLANTED_BUG')))
    return { reason: 'stale', detail: tail };
  if (result.exitCode === 4) return { reason: 'unreadable-case', detail: tail };
  return { reason: 'harness', detail: `exit code ${String(result.exitCode)}\n${tail}` };
}

/** Whether the hook took hold: edited files were loaded, and their text is what the edits make of the sources. */
function checkEdits(evidence: Evidence, entries: readonly CatalogueEntry[]): Refusal | undefined {
  if (entries.length === 0) {
    return evidence.edits.applied === 0
      ? undefined
      : { reason: 'edited-sources', detail: 'sources were edited unasked' };
  }
  const expected = expectedTexts(entries);
  if (typeof expected === 'string') return { reason: 'stale', detail: expected };
  for (const { file, text } of evidence.edits.files) {
    if (expected.get(file) !== text) return { reason: 'other-edit', detail: `${file} was not loaded as edited` };
  }
  const loaded = new Set(evidence.edits.files.map(({ file }) => file));
  for (const entry of entries) {
    if (entry.edits.some(({ file }) => loaded.has(file))) continue;
    return { reason: 'hook-not-in-force', detail: `no process of the stage loaded a source edited by ${entry.name}` };
  }
  return undefined;
}

/** Runs one process and reads its evidence. */
export async function runStageProcess(context: RunContext, request: RunRequest): Promise<RunOutcome> {
  const { stage, role } = request;
  const id = `${stage.name}.${role}`;
  const evidenceFile = join(context.outDirectory, 'evidence', `${id}.json`);
  const workDirectory = join(context.outDirectory, 'work', id);
  removeTree(evidenceFile);
  removeTree(workDirectory);
  makeDirectory(join(context.outDirectory, 'evidence'));
  makeDirectory(workDirectory);
  const program = stageProgram(stage);
  const nonce = randomBytes(32).toString('hex');
  const sourcesHash = sourcesHashOf(program);
  const entries = [...context.weaken, ...request.planted];
  context.observer.started(id, request.budgetSeconds);
  const result = await runProcess({
    arguments: [
      ...(entries.length === 0 ? [] : ['--import', loaderUrl]),
      program,
      ...['--seed', String(request.seed), '--profile', context.profile],
      ...['--budget-seconds', String(request.budgetSeconds), '--evidence', evidenceFile, '--work', workDirectory],
      ...(request.mode === 'hash' ? ['--hash'] : []),
      ...(request.replayFile === undefined ? [] : ['--replay', request.replayFile]),
    ],
    environment: {
      [NONCE_VARIABLE]: nonce,
      LIGHTNING_PLANTED_BUG: entries.length === 0 ? undefined : entries.map(({ name }) => name).join(','),
      [TALLY_VARIABLE]: entries.length === 0 ? undefined : join(workDirectory, 'edits.tally'),
      NODE_OPTIONS: undefined,
    },
    timeoutSeconds: stage.timeoutSeconds,
    signal: context.signal,
    onProgress: (text) => context.observer.progressed(id, text),
  });
  const outcome = accept(result, evidenceFile, entries, request, {
    stage: stage.name,
    mode: request.mode,
    seed: request.seed,
    profile: context.profile,
    sourcesHash,
    nonce,
  });
  context.observer.ended(id, 'evidence' in outcome ? outcome.evidence.verdict : outcome.refusal.reason);
  return outcome;
}

function accept(
  result: ProcessResult,
  evidenceFile: string,
  entries: readonly CatalogueEntry[],
  request: RunRequest,
  expectation: Expectation,
): RunOutcome {
  const { durationSeconds } = result;
  const ended = describeEnd(result);
  if (ended !== undefined) return { refusal: ended, evidenceFile, durationSeconds };
  if (fileExists(evidenceFile)) request.tamper?.(evidenceFile);
  try {
    const evidence = readEvidence(evidenceFile, expectation);
    const refusal = checkEdits(evidence, entries);
    if (refusal !== undefined) return { refusal, evidenceFile, durationSeconds };
    return { evidence, evidenceFile, durationSeconds };
  } catch (error) {
    if (!isLightningError(error, 'LIGHTNING_EVIDENCE_REFUSED')) throw error;
    const reason = String(error.details['reason']);
    const program = stageProgram(request.stage);
    const changed = reason === 'other-sources' && hashSources(program).hash !== sourcesHashOf(program);
    const detail = changed ? 'the sources were changed while the gate was running' : error.message;
    const refusal = { reason, detail };
    return { refusal, evidenceFile, durationSeconds };
  }
}
