/**
 * Real power cuts, as near as a running machine comes to them: ext4 on a loop device is shut down (EXT4_IOC_SHUTDOWN, no
 * flush of its log) by a process in the middle of its work, which is then killed; the file system is unmounted, mounted
 * again, and what it kept is judged. Runs in a mount namespace of its own, so that mount and device vanish with it,
 * however it ends.
 */
import { join } from 'node:path';
import { LightningError } from '../src/base/errors.ts';
import type { Program } from '../src/contract/operations.ts';
import { removeTree } from '../src/report/files.ts';
import { NodeVfs } from '../src/vfs/node-vfs.ts';
import type { CrashFailure } from '../src/workload/crash-knowledge.ts';
import type { CallMessage, CallRequest, CallStore } from './call-child.ts';
import { decodeKnowledge, diskAtCall, examineStore, imageOfFolder, isAllowedState } from './call-judge.ts';
import type { CallFault } from './call-vfs.ts';
import { Child, receiveRequest, tellAndEnd } from './child.ts';
import { makeFolder, makeSparse, runCommand } from './real-files.ts';

/** One cut: a program, and the call before which the file system goes down. */
export interface PowerCase {
  readonly program: Program;
  readonly call: number;
}

/** What this process is asked to do. */
export interface PowerRequest {
  /** An empty folder for the image and its mount. */
  readonly directory: string;
  readonly cases: readonly PowerCase[];
  readonly fault?: CallFault;
}

/** How one cut went. */
export interface PowerResult {
  readonly index: number;
  readonly failure?: CrashFailure;
  /** Whether the simulated disk allows what was left; `unknown` when it allows too much to list. */
  readonly allowed: 'yes' | 'no' | 'unknown';
}

/** All of them, or why there are none. */
export interface PowerReport {
  readonly unknown?: string;
  readonly results: readonly PowerResult[];
}

const IMAGE_BYTES = 64 * 1024 * 1024;
/** Blocks, and so tears, of the file system. */
const BLOCK_BYTES = 4096;

const request = await receiveRequest<PowerRequest>();
const image = join(request.directory, 'disk.img');
const disk = join(request.directory, 'disk');
const results: PowerResult[] = [];

function mount(): void {
  runCommand('mount', '-o', 'loop', image, disk);
}

async function cut(index: number, { program, call }: PowerCase): Promise<void> {
  const directory = join(disk, `store-${index}`);
  makeFolder(directory);
  new NodeVfs(disk).syncDirectory('');
  const store: CallStore = { directory, program, call, moment: 'before', knowledge: '', isUntouched: true };
  const cheats = request.fault === undefined ? {} : { fault: request.fault };
  const asked: CallRequest = { task: 'run', stores: [store], shutDown: disk, ...cheats };
  let knowledge: string | undefined;
  const child = new Child<CallMessage>({
    program: 'call-child',
    request: asked,
    onMessage(message) {
      if (message.kind === 'stopped') knowledge = message.knowledge;
    },
  });
  const end = await child.ended;
  if (end.signal !== 'SIGKILL' || knowledge === undefined) {
    throw new LightningError('LIGHTNING_HARNESS', 'the process did not reach its call', { log: end.log });
  }
  runCommand('umount', disk);
  mount();
  const vfs = new NodeVfs(directory);
  const isAllowed = isAllowedState(diskAtCall(program, call, 'ext4', BLOCK_BYTES), imageOfFolder(vfs));
  const failure = examineStore(vfs, program, decodeKnowledge(knowledge));
  const allowed = isAllowed === undefined ? 'unknown' : isAllowed ? 'yes' : 'no';
  results.push({ index, allowed, ...(failure === undefined ? {} : { failure }) });
  removeTree(directory);
}

try {
  makeFolder(disk);
  makeSparse(image, IMAGE_BYTES);
  try {
    runCommand('mkfs.ext4', '-q', '-b', String(BLOCK_BYTES), image);
    mount();
  } catch (error) {
    throw new LightningError('LIGHTNING_MISSING_CAPABILITY', 'ext4 on a loop device does not work here', {}, error);
  }
  for (const [index, one] of request.cases.entries()) await cut(index, one);
  runCommand('umount', disk);
  tellAndEnd({ results } satisfies PowerReport);
} catch (error) {
  const isMissing = error instanceof LightningError && error.code === 'LIGHTNING_MISSING_CAPABILITY';
  if (!isMissing) throw error;
  tellAndEnd({ unknown: `${error.message}: ${String(error.cause)}`, results } satisfies PowerReport);
}
