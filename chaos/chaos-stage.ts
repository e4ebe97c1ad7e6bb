/**
 * The chaos stage: real processes, real disks, real time. A child is killed under load and at chosen calls, a file
 * system is shut down below a store, disks fill up, permissions vanish, a holder of the lock dies. Every mount lives in a namespace of the child that made it and goes with it; every child is
 * ended by its id, and ends itself when this process does.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { removeTree } from '../src/report/files.ts';
import { type StageContext, stageMain } from '../src/report/stage.ts';
import { bankCaseSchema, replayBank, runBankCheck } from './bank-stage.ts';
import { askChild } from './child.ts';
import type { FaultyStore } from './faulty-store.ts';
import type { FullDiskReport, FullDiskRequest } from './full-disk-child.ts';
import { callCaseSchema, replayCall, runCallCheck } from './call-check.ts';
import { powerCaseSchema, replayPower, runPowerCheck } from './power-check.ts';
import { killCaseSchema, replayKill, runKillCheck } from './kill-stage.ts';
import { checkLock } from './lock-check.ts';
import { isRoot, type Namespace, namespaceForLoopDevice, namespaceForTmpfs } from './namespaces.ts';
import type { PermissionReport, PermissionRequest } from './permission-child.ts';
import { makeFolder, makeReachableFolder, mountsBelow } from './real-files.ts';

/** The user `nobody`, by the number it has nearly everywhere; any number but root's would do. */
const OTHER_USER = 65_534;
const CHILD_SECONDS_MAX = 60;
const FSYNC_TRIES = 3;

type Check = 'disk-full' | 'failed-fsync' | 'permissions' | 'read-only-mount' | 'lock';
type Result = { readonly unknown: string } | { readonly objection: Objection } | { readonly detail: string };

interface Objection {
  readonly class: string;
  readonly message: string;
}

const caseSchema = z.union([
  killCaseSchema,
  bankCaseSchema,
  callCaseSchema,
  powerCaseSchema,
  z.object({
    check: z.enum(['disk-full', 'failed-fsync', 'permissions', 'read-only-mount', 'lock']),
    seed: z.number().int().nonnegative(),
  }),
]);

function folderFor(context: StageContext, name: string): string {
  const folder = join(context.workDirectory, name);
  removeTree(folder);
  makeFolder(folder);
  return folder;
}

function noReport(what: string, log: string, timedOut: boolean): Result {
  if (timedOut) return { objection: { class: 'hang', message: `${what} did not end within ${CHILD_SECONDS_MAX} s` } };
  throw new LightningError('LIGHTNING_HARNESS', `${what}: the child said nothing`, { log });
}

async function runFullDisk(
  context: StageContext,
  disk: FullDiskRequest['disk'],
  seed: number,
  namespace: Namespace,
  fault?: FaultyStore,
): Promise<Result> {
  if ('unknown' in namespace) return namespace;
  const directory = folderFor(context, `disk-${disk}`);
  const request: FullDiskRequest = { disk, directory, seed, ...(fault === undefined ? {} : { fault }) };
  const child = { program: 'full-disk-child', request, prefix: namespace.prefix };
  const { report, end, timedOut } = await askChild<FullDiskReport>(child, CHILD_SECONDS_MAX);
  if (mountsBelow(directory) > 0) throw new LightningError('LIGHTNING_HARNESS', 'a mount is left', { directory });
  if (report === undefined) return noReport(`the check of a full ${disk}`, end.log, timedOut);
  if (fault === undefined) {
    for (const [name, value] of Object.entries(report.counts)) context.count(name, value);
    for (const situation of report.situations) context.reached(situation);
  }
  if (report.unknown !== undefined) return { unknown: report.unknown };
  if (report.objection !== undefined) return { objection: report.objection };
  const numbers = Object.entries(report.counts).filter(([, value]) => value > 0);
  return { detail: numbers.map(([name, value]) => `${value} ${name}`).join(', ') };
}

/** The file system may lose blocks of its own, which says nothing about the store: other seeds are tried then. */
async function runFailedFsync(context: StageContext, seed: number): Promise<Result> {
  const namespace = namespaceForLoopDevice();
  let result = await runFullDisk(context, 'ext4', seed, namespace);
  for (let other = 1; other < FSYNC_TRIES && 'prefix' in namespace && 'unknown' in result; other++) {
    result = await runFullDisk(context, 'ext4', seed + other, namespace);
  }
  return result;
}

async function runPermissions(context: StageContext, kind: PermissionRequest['kind']): Promise<Result> {
  const namespace = kind === 'mount' ? namespaceForTmpfs() : { prefix: [] };
  if ('unknown' in namespace) return namespace;
  const directory =
    kind === 'mount' ? folderFor(context, 'read-only-mount') : makeReachableFolder(context.workDirectory);
  const drop = kind === 'user' && isRoot() ? { user: OTHER_USER } : {};
  const request: PermissionRequest = { kind, directory, ...drop };
  const child = { program: 'permission-child', request, prefix: namespace.prefix };
  try {
    const { report, end, timedOut } = await askChild<PermissionReport>(child, CHILD_SECONDS_MAX);
    if (report === undefined) return noReport(`the check of permissions (${kind})`, end.log, timedOut);
    context.count('permissions taken away', report.cases);
    if (report.error !== undefined) throw new LightningError('LIGHTNING_HARNESS', report.error);
    if (report.objection !== undefined) return { objection: report.objection };
    return { detail: `${report.cases} cases refused with LIGHTNING_PERMISSION, nothing created or changed` };
  } finally {
    removeTree(directory);
  }
}

async function runLock(context: StageContext): Promise<Result> {
  const objection = await checkLock(folderFor(context, 'lock'));
  context.count('locks of killed holders');
  if (objection !== undefined) return { objection };
  return { detail: 'a second process is refused three times, SIGKILL of the holder frees the store' };
}

async function runCheck(context: StageContext, check: Check, seed: number): Promise<Result> {
  switch (check) {
    case 'disk-full':
      return runFullDisk(context, 'tmpfs', seed, namespaceForTmpfs());
    case 'failed-fsync':
      return runFailedFsync(context, seed);
    case 'permissions':
      return runPermissions(context, 'user');
    case 'read-only-mount':
      return runPermissions(context, 'mount');
    case 'lock':
      return runLock(context);
  }
}

const STORIES: Readonly<Record<Check, readonly string[]>> = {
  'disk-full': [
    'a store on a tmpfs of 5 MiB; four clients write until each was refused three times in a row',
    'another file is deleted; each client writes again, without reopening',
    'full again; the disk grows; writing again',
    'full to the last byte; close; open; the disk grows; open and read everything',
  ],
  'failed-fsync': [
    'a store on ext4 on a sparse image on a tmpfs; 60 batches are acknowledged',
    'the tmpfs fills up; four clients write until a write fails',
    'every call but close is tried',
    'space again; close; unmount and mount again; open and read everything',
  ],
  permissions: ['a store with tree, run and log', 'one permission is taken away', 'open', 'the permission comes back'],
  'read-only-mount': ['a store on a tmpfs', 'the tmpfs becomes read-only', 'open'],
  lock: ['a process opens a store', 'another opens it', 'SIGKILL of the first', 'another opens it'],
};

async function reportObjection(context: StageContext, check: Check, seed: number, objection: Objection): Promise<void> {
  const story = [...STORIES[check], objection.message];
  const operations = STORIES[check].length;
  await context.fail({ ...objection, case: { check, seed }, story, operations });
}

async function judgeCheck(context: StageContext, check: Check): Promise<void> {
  if (context.outOfBudget()) {
    context.check(check, 'unknown', 'the budget ended before it began');
    return;
  }
  context.progress(check);
  const start = context.elapsedSeconds();
  const result = await runCheck(context, check, context.seed);
  context.figure(`${check} check`, context.elapsedSeconds() - start, 's');
  if ('unknown' in result) context.check(check, 'unknown', result.unknown);
  else if ('detail' in result) context.check(check, 'pass', result.detail);
  else {
    context.check(check, 'fail', result.objection.message);
    await reportObjection(context, check, context.seed, result.objection);
  }
}

async function judgeControl(context: StageContext, fault: FaultyStore, wanted: string): Promise<void> {
  const name = `control:disk-full-${fault}`;
  if (context.outOfBudget()) {
    context.check(name, 'unknown', 'the budget ended before it began');
    return;
  }
  const result = await runFullDisk(context, 'tmpfs', context.seed, namespaceForTmpfs(), fault);
  if ('unknown' in result) context.check(name, 'unknown', result.unknown);
  else if ('objection' in result && result.objection.class === wanted) {
    context.check(name, 'pass', `found as ${wanted}: ${result.objection.message}`);
  } else {
    const how = 'objection' in result ? `${result.objection.class}: ${result.objection.message}` : 'nothing was found';
    context.check(name, 'vacuous', `not found as ${wanted}; ${how}`);
  }
}

async function runOthers(context: StageContext): Promise<void> {
  for (const check of ['lock', 'disk-full', 'failed-fsync', 'permissions', 'read-only-mount'] as const) {
    await judgeCheck(context, check);
  }
  await judgeControl(context, 'hides-full-disk', 'lost-acknowledged-write');
  await judgeControl(context, 'remembers-refused', 'rejected-write-visible');
  await runBankCheck(context);
}

async function runKillsAndCuts(context: StageContext): Promise<void> {
  await runCallCheck(context);
  await runPowerCheck(context);
}

await stageMain({
  name: 'chaos',
  deterministic: false,
  expectedSituations: [
    'killed with a flush under way',
    'killed with appends only under way',
    'killed with recovery under way',
    'writing resumed after something else was deleted',
    'writing resumed after the disk grew',
    'opening on the full disk was refused',
  ],
  async run(context) {
    context.notTested('SIGKILL leaves the page cache alone: durability against a power cut is for the crash stage');
    context.notTested(
      'EDQUOT, EMFILE and EIO of real devices; a disk that fills up while it is opened for the first time',
    );
    await Promise.all([runKillCheck(context), runOthers(context), runKillsAndCuts(context)]);
  },
  async replay(context, caseJson) {
    const parsed = caseSchema.safeParse(caseJson);
    if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a case of this stage');
    const saved = parsed.data;
    if (saved.check === 'kill') return replayKill(context, saved.plan);
    if (saved.check === 'bank') return replayBank(context, saved.plan);
    if (saved.check === 'calls') return replayCall(context, saved);
    if (saved.check === 'power') return replayPower(context, saved);
    const result = await runCheck(context, saved.check, saved.seed);
    if ('objection' in result) await reportObjection(context, saved.check, saved.seed, result.objection);
    if ('unknown' in result) context.check(saved.check, 'unknown', result.unknown);
  },
});
