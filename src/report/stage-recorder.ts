/** Collects what a stage reports while it runs; {@link StageRecorder.body} is the evidence without its hashes. */
import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { assert, situationsReached } from '../base/assert.ts';
import { cpuSeconds, monotonicMilliseconds, systemClock } from '../base/clock.ts';
import { BudgetClock } from './budget-clock.ts';
import { type Evidence, type EvidenceBody, recomputeVerdict, type Verdict } from './evidence.ts';
import { fileExists, writeWhole } from './files.ts';
import { readEditAccount } from './planted-edits.ts';
import { packageVersion, type SourcesHash } from './sources-hash.ts';
import type { StageContext, StageDefinition, StageFailure, StageOptions } from './stage-definition.ts';
import { writeWitness } from './witness.ts';

/** Progress lines at most this often. */
const PROGRESS_INTERVAL_MILLISECONDS = 100;
/** The most failures one stage reports; it is meant to stop at the first. */
const FAILURE_COUNT_MAX = 16;

/** The context handed to a stage, and its memory. */
export class StageRecorder implements StageContext {
  readonly seed: number;
  readonly profile: string;
  readonly budgetSeconds: number;
  readonly workDirectory: string;
  readonly hashOnly: boolean;
  private readonly definition: StageDefinition;
  private readonly options: StageOptions;
  private readonly sources: SourcesHash;
  private readonly startedAt = new Date(systemClock.now()).toISOString();
  private readonly clock = new BudgetClock();
  private readonly counts = new Map<string, number>();
  private readonly situations = new Map<string, number>();
  private readonly figures: Evidence['figures'] = [];
  private readonly seriesList: Evidence['series'] = [];
  private readonly checks: Evidence['checks'] = [];
  private readonly failures: Evidence['failures'] = [];
  private readonly untested: string[] = [];
  private readonly events: Hash = createHash('sha256');
  private eventCount = 0;
  private lastProgress = Number.NEGATIVE_INFINITY;

  constructor(definition: StageDefinition, options: StageOptions, sources: SourcesHash) {
    this.definition = definition;
    this.options = options;
    this.sources = sources;
    this.seed = options.seed;
    this.profile = options.profile;
    this.budgetSeconds = options.budgetSeconds;
    this.workDirectory = options.workDirectory;
    this.hashOnly = options.mode === 'hash';
  }

  elapsedSeconds(): number {
    return this.clock.chargedSeconds();
  }

  outOfBudget(): boolean {
    return this.failures.length > 0 || this.elapsedSeconds() >= this.budgetSeconds;
  }

  count(name: string, by = 1): void {
    assert(Number.isSafeInteger(by) && by >= 0, 'a count grows by a natural number', by);
    this.counts.set(name, (this.counts.get(name) ?? 0) + by);
  }

  reached(situation: string): void {
    this.situations.set(situation, (this.situations.get(situation) ?? 0) + 1);
  }

  hash(content: string | Uint8Array | number): void {
    const kind = typeof content === 'string' ? 's' : typeof content === 'number' ? 'n' : 'b';
    const bytes = typeof content === 'number' ? String(content) : content;
    this.events.update(`${kind}${bytes.length}:`);
    this.events.update(bytes);
    this.eventCount++;
  }

  figure(name: string, value: number, unit: string): void {
    assert(Number.isFinite(value), 'a figure is a finite number', name, value);
    this.figures.push({ name, value, unit });
  }

  series(name: string, points: readonly (readonly [number, number])[], xLabel: string, yLabel: string): void {
    for (const [x, y] of points) assert(Number.isFinite(x) && Number.isFinite(y), 'a point is finite', x, y);
    this.seriesList.push({ name, points: points.map(([x, y]) => [x, y]), xLabel, yLabel });
  }

  check(name: string, verdict: Verdict, detail: string): void {
    this.checks.push({ name, verdict, detail });
  }

  fail(failure: StageFailure): Promise<void> {
    assert(this.failures.length < FAILURE_COUNT_MAX, 'a stage stops at its first failure', this.failures.length);
    const witness = this.witnessPath(failure.class);
    const shrink = failure.shrink ?? '';
    const { class: failureClass, message, operations } = failure;
    writeWitness(witness, {
      stage: this.definition.name,
      profile: this.profile,
      seed: this.seed,
      class: failureClass,
      message,
      operations,
      shrink,
      story: [...failure.story],
      sourcesHash: this.sources.hash,
      case: failure.case,
      recording: failure.recording,
    });
    if (failure.page !== undefined) writeWhole(`${witness}.html`, failure.page);
    const afterSeconds = this.elapsedSeconds();
    this.failures.push({
      class: failureClass,
      message,
      operations,
      shrink,
      story: [...failure.story],
      witness,
      afterSeconds,
    });
    if (this.options.mode !== 'replay') {
      const picture = failure.page === undefined ? '' : `Picture: ${witness}.html\n`;
      const lines = [`${failureClass}: ${message}`, ...failure.story.map((line) => `  ${line}`)];
      process.stderr.write(`${lines.join('\n')}\n${picture}Replay: lightning-db replay ${witness}\n`);
    }
    return Promise.resolve();
  }

  private witnessPath(failureClass: string): string {
    const safe = failureClass.replaceAll(/[^a-z0-9-]/gi, '-');
    for (let number = 1; ; number++) {
      const path = join(this.workDirectory, `witness-${safe}${number === 1 ? '' : `-${number}`}.json`);
      if (!fileExists(path)) return path;
    }
  }

  notTested(text: string): void {
    if (!this.untested.includes(text)) this.untested.push(text);
  }

  progress(text: string, done?: number, total?: number): void {
    const now = monotonicMilliseconds();
    if (now - this.lastProgress < PROGRESS_INTERVAL_MILLISECONDS) return;
    this.lastProgress = now;
    process.stderr.write(`${JSON.stringify({ progress: text, done, total })}\n`);
  }

  /** The failures so far. */
  get failureCount(): number {
    return this.failures.length;
  }

  /** Everything recorded, as evidence that is not yet hashed and sealed. */
  body(): EvidenceBody {
    const situations = new Map([...situationsReached(), ...this.situations]);
    for (const situation of this.definition.expectedSituations ?? []) {
      if (!situations.has(situation)) situations.set(situation, 0);
    }
    return {
      format: 'lightning-db evidence',
      version: 1,
      stage: this.definition.name,
      mode: this.options.mode,
      subject: this.definition.subject ?? { engine: 'lightning-db', version: packageVersion() },
      runtime: { node: process.version, platform: process.platform, architecture: process.arch },
      sources: this.sources,
      edits: readEditAccount(),
      seed: this.seed,
      profile: this.profile,
      budgetSeconds: this.budgetSeconds,
      startedAt: this.startedAt,
      durationSeconds: this.clock.wallSeconds(),
      cpuSeconds: cpuSeconds(),
      deterministic: this.definition.deterministic,
      eventHash: this.eventCount === 0 ? '' : this.events.digest('hex'),
      counts: Object.fromEntries(this.counts),
      situations: Object.fromEntries(situations),
      figures: this.figures,
      series: this.seriesList,
      checks: this.checks,
      failures: this.failures,
      notTested: this.untested,
      verdict: recomputeVerdict({ checks: this.checks, failures: this.failures }),
    };
  }
}
