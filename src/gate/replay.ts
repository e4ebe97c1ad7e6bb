/** Runs one saved witness again, on the sources as they are or with a planted bug in them. */
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isLightningError } from '../base/errors.ts';
import type { Evidence } from '../report/evidence.ts';
import { fileExists, removeTree } from '../report/files.ts';
import { hashSources } from '../report/sources-hash.ts';
import { FITS_CHECK } from '../report/stage-definition.ts';
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
 * @throws LightningError `LIGHTNING_NOT_FOUND` without such a file or planted bug, `LIGHTNING_EVIDENCE_REFUSED` for a
 *   damaged one
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
  return compare(witness, outcome.evidence, hashSources(stageProgram(stage)).hash);
}

function compare(
  witness: Witness,
  { failures, checks }: Pick<Evidence, 'failures' | 'checks'>,
  sourcesHash: string,
): ReplayResult {
  const told = checks.filter(({ name }) => name !== 'replay').map(({ name, detail }) => `${name}: ${detail}`);
  const { package: version, node, platform } = witness.versions;
  const other =
    sourcesHash === witness.sourcesHash
      ? []
      : [`recorded on other sources than these (${version}, ${node}, ${platform})`];
  const recorded = `recorded: ${witness.class}: ${witness.message}`;
  const same = failures.find((failure) => failure.class === witness.class);
  if (same !== undefined) {
    const lines = [`confirmed: ${same.class}: ${same.message}`, ...same.story.map((line) => `  ${line}`)];
    return { outcome: 'confirmed', exitCode: EXIT.fail, lines: [...lines, ...told, ...other] };
  }
  if (failures.length > 0) {
    const [failure] = failures;
    const lines = [`a different failure: ${failure.class}: ${failure.message}`, recorded, ...told, ...other];
    return { outcome: 'different-failure', exitCode: EXIT.fail, lines };
  }
  const misfit = checks.find(({ name, verdict }) => name === FITS_CHECK && verdict === 'unknown');
  if (misfit !== undefined) return stale(`${misfit.detail}\n${[recorded, ...other].join('\n')}`);
  return { outcome: 'not-reproduced', exitCode: EXIT.pass, lines: ['not reproduced', recorded, ...told, ...other] };
}
