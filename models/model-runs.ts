/**
 * Runs the configurations of a tier: every passing one in both checkers, every broken one as a control. What comes of it
 * is told row by row; the stage makes checks of the rows, the command a table.
 */
import { basename } from 'node:path';
import { monotonicMilliseconds } from '../src/base/clock.ts';
import type { CheckOutcome } from './check-outcome.ts';
import {
  type BrokenConfiguration,
  brokenConfigurations,
  brokenPath,
  isIncluded,
  type Module,
  modelPath,
  type PassingConfiguration,
  passingConfigurations,
  passingPath,
  type Tier,
  TIERS,
} from './configurations.ts';
import { judgeControl, type Judgement, judgePassing } from './judge.ts';
import { runTlaCheckerOnAll } from './tla-checker-runner.ts';
import { runTlc, type TlcInstallation } from './tlc-runner.ts';

const PROCESSES_AT_ONCE = 2;

export type Checker = 'tla-checker' | 'tlc';

/** One configuration, asked of one checker. */
export interface ModelRow {
  readonly name: string;
  readonly model: Module;
  readonly checker: Checker;
  /** The invariant or property that a broken configuration must violate; `undefined` for a passing one. */
  readonly violates: string | undefined;
  readonly outcome: CheckOutcome;
  readonly judged: Judgement;
  /** Wall time of the checker's process, or this one's share of it; 0 when it was not started. */
  readonly seconds: number;
}

/** What surrounds a run. */
export interface ModelRunSettings {
  readonly tier: Tier;
  readonly checkers: readonly Checker[];
  readonly tlc: TlcInstallation;
  readonly workDirectory: string;
  /** Leaves out configurations of other names. */
  readonly wants: (name: string) => boolean;
  /** The time that a check which starts now may take. */
  readonly timeLimitSeconds: () => number;
  /** Whether checks that may be left out are left out from now on. */
  readonly outOfBudget: () => boolean;
  readonly onProgress: (text: string) => void;
  readonly onRow: (row: ModelRow) => Promise<void>;
}

/** Broken configurations are small: several of them share a process. */
const BATCH_SIZE = 9;

function inBatches<T>(items: readonly T[]): T[][] {
  const batches: T[][] = [];
  for (let i = 0; i < items.length; i += BATCH_SIZE) batches.push(items.slice(i, i + BATCH_SIZE));
  return batches;
}

/** Runs `work` over `items`, two at a time. */
async function inPairs<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]);
  };
  await Promise.all(Array.from({ length: PROCESSES_AT_ONCE }, worker));
}

interface Asked {
  readonly outcome: CheckOutcome;
  readonly seconds: number;
}

class ModelRuns {
  private readonly settings: ModelRunSettings;
  /** Distinct states by configuration, as tla-checker counted them. */
  private readonly states = new Map<string, number>();
  private failed = false;

  constructor(settings: ModelRunSettings) {
    this.settings = settings;
  }

  async all(): Promise<void> {
    const { tier, wants } = this.settings;
    const passing = passingConfigurations.filter((one) => isIncluded(one.tier, tier) && wants(one.name));
    const broken = brokenConfigurations.filter((one) => isIncluded(one.tier, tier) && wants(one.name));
    const safety = passing.filter(({ tlcAlone }) => !tlcAlone);
    // The largest of smoke run side by side, then the small ones.
    await inPairs(
      safety.filter((one) => one.tier === 'smoke'),
      (one) => this.passing(one, 'tla-checker', false),
    );
    const safetyControls = broken.filter(({ liveness }) => !liveness);
    for (const tierOfBatch of TIERS) {
      const batches = inBatches(safetyControls.filter((one) => one.tier === tierOfBatch));
      await inPairs(batches, (batch) => this.controls(batch, tierOfBatch !== 'smoke'));
    }
    await inPairs(
      safety.filter((one) => one.tier !== 'smoke'),
      (one) => this.passing(one, 'tla-checker', true),
    );
    await inPairs(passing, (one) => this.passing(one, 'tlc', true));
    await inPairs(
      broken.filter(({ liveness }) => liveness || tier !== 'smoke'),
      (one) => this.controls([one], true, 'tlc'),
    );
  }

  /** One process's work: configurations of one model and checker. Undefined when this checker is not wanted. */
  private async ask(
    checker: Checker,
    configurations: readonly { readonly model: Module; readonly path: string }[],
    optional: boolean,
  ): Promise<readonly Asked[] | undefined> {
    const { checkers, tlc, outOfBudget, onProgress, timeLimitSeconds, workDirectory } = this.settings;
    const not = (reason: string): Asked[] =>
      configurations.map(() => ({ outcome: { verdict: 'unknown', reason }, seconds: 0 }));
    if (!checkers.includes(checker)) return undefined;
    if (this.failed) return not('not run after a failure');
    if (checker === 'tlc' && !tlc.available) return not(tlc.reason);
    if (optional && outOfBudget()) return not('the budget ran out before it');
    onProgress(`${checker}: ${configurations.map(({ path }) => basename(path, '.cfg')).join(', ')}`);
    const requests = configurations.map(({ model, path }) => ({
      modelPath: modelPath(model),
      configurationPath: path,
      timeLimitSeconds: timeLimitSeconds(),
      workDirectory,
    }));
    const begun = monotonicMilliseconds();
    const outcomes = await (checker === 'tlc'
      ? Promise.all(requests.map(async (request) => runTlc(request, tlc)))
      : runTlaCheckerOnAll(requests));
    const seconds = (monotonicMilliseconds() - begun) / 1000 / outcomes.length;
    return outcomes.map((outcome) => ({ outcome, seconds }));
  }

  private async passing(one: PassingConfiguration, checker: Checker, optional: boolean): Promise<void> {
    const [asked] = (await this.ask(checker, [{ model: one.model, path: passingPath(one.name) }], optional)) ?? [];
    if (asked === undefined) return;
    const { outcome } = asked;
    const judged = judgePassing(outcome, one.distinctStates, checker === 'tlc' ? this.states.get(one.name) : undefined);
    if (outcome.verdict === 'pass' && checker === 'tla-checker') this.states.set(one.name, outcome.distinctStates);
    const tell = judged.verdict !== 'fail' || !this.failed;
    if (judged.verdict === 'fail') this.failed = true;
    if (tell)
      await this.settings.onRow({ ...asked, name: one.name, model: one.model, checker, violates: undefined, judged });
  }

  private async controls(
    batch: readonly BrokenConfiguration[],
    optional: boolean,
    checker: Checker = 'tla-checker',
  ): Promise<void> {
    const asked = await this.ask(
      checker,
      batch.map(({ model, name }) => ({ model, path: brokenPath(name) })),
      optional,
    );
    if (asked === undefined) return;
    for (const [i, { name, model, violates, steps }] of batch.entries()) {
      const judged = judgeControl(asked[i].outcome, violates, steps);
      await this.settings.onRow({ ...asked[i], name, model, checker, violates, judged });
    }
  }
}

/**
 * Runs a tier. After a failure nothing more is started, and what was not run is unknown.
 * @throws LightningError `LIGHTNING_HARNESS` when a checker could not read a model
 */
export async function runModels(settings: ModelRunSettings): Promise<void> {
  await new ModelRuns(settings).all();
}
