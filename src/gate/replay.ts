/** Runs one saved witness again, on the sources as they are or with a planted bug in them. */
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isLightningError } from '../base/errors.ts';
import { fileExists, removeTree } from '../report/files.ts';
import { hashSources } from '../report/sources-hash.ts';
import { EXIT } from '../report/verdict.ts';
import { readWitness, type Witness } from '../report/witness.ts';
import { findEntry, readCatalogue, staleness } from './catalogue.ts';
import { silentObserver } from './display.ts';
import { type Profile, readProfile, type StageSpecification } from './profile.ts';
import { MINIATURE_STAGE } from './sabotage.ts';
import { runStageProcess, stageProgram } from './stage-run.ts';

/** How a replay ended. */
export interface ReplayResult {
  readonly outcome: 'confirmed' | 'not-reproduced' | 'different-failure' | 'stale' | 'broken';
  readonly exitCode: number;
  readonly lines: readonly string[];
}

function stageOf(profile: Profile, name: string): StageSpecification | undefined {
  return [...profile.stages, MINIATURE_STAGE].find((stage) => stage.name === name);
}

function stale(text: string): ReplayResult {
  return { outcome: 'stale', exitCode: EXIT.unknown, lines: [`stale: ${text}`] };
}

/**
 * Replays a witness file.
 * @throws LightningError `LIGHTNING_NOT_FOUND` without such a file or planted bug
 */
export async function replayWitness(
  file: string,
  withBug: string | undefined,
  signal: AbortSignal,
): Promise<ReplayResult> {
  let witness: Witness;
  try {
    witness = readWitness(file);
  } catch (error) {
    if (isLightningError(error, 'LIGHTNING_UNSUPPORTED_FORMAT')) return stale(error.message);
    throw error;
  }
  const stage = stageOf(readProfile('smoke'), witness.stage);
  if (stage === undefined || !fileExists(stageProgram(stage)))
    return stale(`there is no stage ${witness.stage} any more`);
  const planted = withBug === undefined ? [] : [findEntry(readCatalogue(), withBug)];
  const staleBug = staleness(planted);
  if (staleBug !== undefined)
    return stale(`the planted bug ${String(withBug)} no longer fits the sources: ${staleBug}`);
  const outDirectory = join(tmpdir(), `lightning-db-replay-${process.pid}`);
  const outcome = await runStageProcess(
    { profile: witness.profile, outDirectory, signal, weaken: [], observer: silentObserver },
    {
      role: 'replay',
      stage,
      mode: 'replay',
      seed: witness.seed,
      budgetSeconds: stage.budgetSeconds,
      replayFile: resolve(file),
      planted,
    },
  );
  removeTree(outDirectory);
  if ('refusal' in outcome) {
    const { reason, detail } = outcome.refusal;
    if (reason === 'stale' || reason === 'unreadable-case') return stale(detail);
    return { outcome: 'broken', exitCode: EXIT.broken, lines: [`broken: ${reason}: ${detail}`] };
  }
  return compare(witness, outcome.evidence.failures, hashSources(stageProgram(stage)).hash);
}

function compare(
  witness: Witness,
  failures: readonly { readonly class: string; readonly message: string; readonly story: readonly string[] }[],
  sourcesHash: string,
): ReplayResult {
  const other = sourcesHash === witness.sourcesHash ? [] : ['recorded on other sources than these'];
  const recorded = `recorded: ${witness.class}: ${witness.message}`;
  const same = failures.find((failure) => failure.class === witness.class);
  if (same !== undefined) {
    const lines = [`confirmed: ${same.class}: ${same.message}`, ...same.story.map((line) => `  ${line}`), ...other];
    return { outcome: 'confirmed', exitCode: EXIT.fail, lines };
  }
  if (failures.length > 0) {
    const [failure] = failures;
    const lines = [`a different failure: ${failure.class}: ${failure.message}`, recorded, ...other];
    return { outcome: 'different-failure', exitCode: EXIT.fail, lines };
  }
  return { outcome: 'not-reproduced', exitCode: EXIT.pass, lines: ['not reproduced', recorded, ...other] };
}
