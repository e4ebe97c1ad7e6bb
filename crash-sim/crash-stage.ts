/**
 * The stage `crash`: a simulated disk loses power at every I/O step of generated programs, during recovery too, with
 * fsyncs that fail and disks that fill, and what comes back is judged (spec/durability.md).
 */
import { join } from 'node:path';
import { cpuSeconds } from '../src/base/clock.ts';
import { writeWhole } from '../src/report/files.ts';
import { FITS_CHECK, stageMain, type StageContext } from '../src/report/stage.ts';
import { compareRecording, recordingOf } from './crash-capsule.ts';
import { parseCase } from './crash-case.ts';
import { checkFaultMatrix } from './fault-matrix-check.ts';
import type { FoundFailure } from './crash-explorer.ts';
import { drawCrash } from './crash-picture.ts';
import { checkDiskRules } from './disk-rules.ts';
import { CrashPrograms } from './crash-programs.ts';
import { checkGroups, replayGroup } from './group-check.ts';
import { isGroupCase } from './group-program.ts';
import { reportRecovery } from './recovery-figures.ts';
import { replayCase } from './crash-replay.ts';
import { shrinkCase } from './crash-shrink.ts';
import { checkSmallScope, scopeLength } from './small-scope-check.ts';
import { tellStory } from './crash-story.ts';

const HASHED_PROGRAMS = 4;
/** They come before what is walked whole, by seconds of budget: most bugs fall to a few of them. */
const FIRST_PROGRAMS_PER_SECOND = 2;
const FIRST_PROGRAMS_MIN = 140;
/** Seconds of CPU, and of the wall on a machine that is busy with other things: these, or half of a large budget. */
const SHRINK_CPU_SECONDS = 10;
const SHRINK_WALL_SECONDS = 25;

await stageMain({
  name: 'crash',
  deterministic: true,
  expectedSituations: [
    'a key straddles leaves',
    'branch split',
    'branches merged',
    'cache: ghost of a block seen often',
    'cache: ghost of a block seen once',
    'leaf larger than its target',
    'leaf split',
    'leaves merged',
    'range tombstone became a deletion',
    'root collapsed',
    'root grown',
    'subtree kept',
    'tree emptied',
  ],
  async run(context) {
    const cpuAtStart = cpuSeconds();
    const { count, broken } = checkDiskRules();
    const text = broken.length === 0 ? `${count} rules, each shown by a state or by its absence` : broken.join('; ');
    context.check('control:rules of the disk', broken.length === 0 ? 'pass' : 'vacuous', text);
    // On a disk that loses too little nothing else would tell anything.
    if (broken.length > 0 && !context.hashOnly) return;
    const programs = new CrashPrograms(context);
    const { random } = programs;
    const firstCount = Math.max(FIRST_PROGRAMS_MIN, context.budgetSeconds * FIRST_PROGRAMS_PER_SECOND);
    const first = context.hashOnly ? undefined : programs.run((n) => n < firstCount);
    const found =
      first ??
      checkSmallScope(context, context.hashOnly ? 1 : scopeLength(context.budgetSeconds)) ??
      checkFaultMatrix(context, context.seed);
    if (found !== undefined) {
      await report(context, found);
      return;
    }
    if (await checkGroups(context, random.fork())) return;
    if (!context.hashOnly) reportRecovery(context);
    const failure = programs.run((n) => (context.hashOnly ? n < HASHED_PROGRAMS : !context.outOfBudget()));
    if (failure !== undefined) {
      await report(context, failure);
      return;
    }
    const { cycles } = programs;
    const cpu = cpuSeconds() - cpuAtStart;
    if (!context.hashOnly && cpu > 0) context.figure('cycles per CPU second', cycles / cpu, '1/s');
    context.check('power loss', 'pass', `${cycles} judged recoveries`);
    context.notTested('Real disks and real power cuts; a disk that lies about one fsync after another.');
  },
  async replay(context, json, recording) {
    if (isGroupCase(json)) {
      await replayGroup(context, json);
      return;
    }
    const crashCase = parseCase(json);
    const { fits, fitText, courseText, diskText } = compareRecording(crashCase, recording);
    context.check(FITS_CHECK, fits ? 'pass' : 'unknown', fitText);
    context.check('recorded I/O', 'pass', courseText);
    context.check('recorded disk', 'pass', diskText);
    const failure = replayCase(crashCase);
    if (failure === undefined) return;
    await context.fail({
      ...failure,
      case: crashCase,
      story: tellStory(crashCase, failure.message),
      operations: crashCase.program.operations.length,
      recording: recordingOf(crashCase),
    });
  },
});

async function report(context: StageContext, first: FoundFailure): Promise<void> {
  writeWhole(join(context.workDirectory, 'found.json'), `${JSON.stringify(first)}\n`);
  const cpuEnd = cpuSeconds() + SHRINK_CPU_SECONDS;
  const wallEnd = context.elapsedSeconds() + Math.max(SHRINK_WALL_SECONDS, context.budgetSeconds / 2);
  const outOfTime = (): boolean => cpuSeconds() > cpuEnd || context.elapsedSeconds() > wallEnd;
  const cpuAtStart = cpuSeconds();
  context.figure('CPU until found', cpuAtStart, 's');
  const { failure, how } = await shrinkCase(first, outOfTime);
  context.figure('CPU of shrinking', cpuSeconds() - cpuAtStart, 's');
  await context.fail({
    class: failure.class,
    message: failure.message,
    case: failure.case,
    story: tellStory(failure.case, failure.message),
    page: drawCrash(failure.case, failure.class, failure.message),
    operations: failure.case.program.operations.length,
    shrink: how,
    recording: recordingOf(failure.case),
  });
}
