/**
 * One process of a campaign. A program is a function of the seed and its number alone, so that shards never overlap and
 * any program can be run again. It ends when its parent says so or goes away.
 */
import { join } from 'node:path';
import { fromText } from '../src/base/bytes.ts';
import { cpuSeconds, monotonicMilliseconds } from '../src/base/clock.ts';
import { hash32 } from '../src/base/hash.ts';
import { Prng } from '../src/base/prng.ts';
import { writeWhole } from '../src/report/files.ts';
import { writeWitness } from '../src/report/witness.ts';
import type { WorkerReport, WorkerTask } from './campaign-messages.ts';
import { CrashExplorer, type Effort, type FoundFailure } from './crash-explorer.ts';
import { drawCrash } from './crash-picture.ts';
import { recordingOf } from './crash-capsule.ts';
import { generateCrashProgram } from '../src/workload/crash-programs.ts';
import { generateMachine } from './crash-machines.ts';
import { shrinkCase } from './crash-shrink.ts';
import { tellStory } from './crash-story.ts';

const EFFORT: Effort = { imagesPerStep: 3, nestedShare: 0.01, afterlifeShare: 0.03 };
const PROGRAMS_PER_REPORT = 10;
const RECOVERIES_PER_SAMPLE = 20;
const SHRINK_MILLISECONDS = 30_000;
/** The harness broke. */
const EXIT_BROKEN = 3;

class CampaignWorker {
  private readonly task: WorkerTask;
  private counts: Record<string, number> = {};
  private images: number[] = [];
  private recoveryMilliseconds: number[] = [];
  private violations: { class: string; message: string; witness: string; operations: number }[] = [];
  private recoveries = 0;

  constructor(task: WorkerTask) {
    this.task = task;
  }

  async program(number: number): Promise<void> {
    const random = new Prng(hash32(fromText(`${this.task.seed}:${number}`)));
    const program = generateCrashProgram(random);
    const drawn = generateMachine(random);
    const machine = { ...drawn, directoryModel: this.task.directoryModel ?? drawn.directoryModel };
    const events = {
      count: (name: string, by = 1) => {
        this.counts[name] = (this.counts[name] ?? 0) + by;
      },
      recovered: (hash: string, milliseconds: number) => {
        this.images.push(Number.parseInt(hash.slice(3), 16));
        if (this.recoveries++ % RECOVERIES_PER_SAMPLE === 0) this.recoveryMilliseconds.push(milliseconds);
      },
    };
    const failure = new CrashExplorer(program, machine, random.fork(), EFFORT, events).explore();
    if (failure !== undefined) await this.save(number, failure);
  }

  /** What was found is on the disk before anything is made smaller. */
  private async save(number: number, first: FoundFailure): Promise<void> {
    const witness = join(this.task.outDirectory, `violation-${number}.json`);
    this.write(witness, first, 'not shrunk');
    const deadline = monotonicMilliseconds() + SHRINK_MILLISECONDS;
    const { failure, how } = await shrinkCase(first, () => monotonicMilliseconds() > deadline);
    this.write(witness, failure, how);
    writeWhole(`${witness}.html`, drawCrash(failure.case, failure.class, failure.message));
    const operations = failure.case.program.operations.length;
    this.violations.push({ class: failure.class, message: failure.message, witness, operations });
  }

  private write(path: string, failure: FoundFailure, shrink: string): void {
    writeWitness(path, {
      stage: 'crash',
      profile: 'manual',
      seed: this.task.seed,
      class: failure.class,
      message: failure.message,
      operations: failure.case.program.operations.length,
      shrink,
      story: tellStory(failure.case, failure.message),
      sourcesHash: this.task.sourcesHash,
      case: failure.case,
      recording: recordingOf(failure.case),
    });
  }

  takeReport(programs: number, next: number): WorkerReport {
    const { counts, recoveryMilliseconds, violations } = this;
    const images = Float64Array.from(this.images);
    this.counts = {};
    this.images = [];
    this.recoveryMilliseconds = [];
    this.violations = [];
    const peakMemoryBytes = process.resourceUsage().maxRSS * 1024;
    return {
      kind: 'report',
      programs,
      next,
      counts,
      images,
      recoveryMilliseconds,
      violations,
      peakMemoryBytes,
      cpuSeconds: cpuSeconds(),
    };
  }
}

/** Waits until the parent has taken a report, so that a slow parent is not flooded. */
function send(report: WorkerReport): Promise<void> {
  return new Promise((done, refused) => {
    process.send?.(report, undefined, undefined, (error) => {
      if (error === null) done();
      else refused(error);
    });
  });
}

let isStopped = false;
process.on('disconnect', () => process.exit(0));
process.once('message', (task: WorkerTask) => {
  process.on('message', () => {
    isStopped = true;
  });
  run(task).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(EXIT_BROKEN);
  });
});

async function run(task: WorkerTask): Promise<void> {
  const worker = new CampaignWorker(task);
  for (let number = task.first, n = 1; !isStopped; number += task.shardCount, n++) {
    await worker.program(number);
    if (n % PROGRAMS_PER_REPORT !== 0) continue;
    await send(worker.takeReport(PROGRAMS_PER_REPORT, number + task.shardCount));
    await new Promise(setImmediate);
  }
  process.disconnect();
}
