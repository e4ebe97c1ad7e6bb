/**
 * The processes of the check of kills at chosen calls. One runs programs, each on a store and up to a call of its own, and
 * is killed in the last of those calls: all its stores lie there as a killed process leaves them. Another, which is thrown
 * away afterwards, opens and judges them.
 */
import { ManualClock } from '../src/base/clock.ts';
import type { Program } from '../src/contract/operations.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { NodeVfs } from '../src/vfs/node-vfs.ts';
import { CrashClient } from '../src/workload/crash-client.ts';
import { type CrashFailure, failureOf } from '../src/workload/crash-knowledge.ts';
import { CrashStore } from '../src/workload/crash-store.ts';
import {
  afterKill,
  decodeKnowledge,
  diskAtCall,
  differenceFrom,
  encodeKnowledge,
  examineStore,
  imageOfFolder,
} from './call-judge.ts';
import { type CallFault, CallVfs, type StopMoment } from './call-vfs.ts';
import { receiveRequest, tell, tellAndEnd } from './child.ts';
import { shutDownExt4 } from './real-files.ts';

/** One store: run up to a call, recovered up to a call, or judged. */
export interface CallStore {
  readonly directory: string;
  readonly program: Program;
  readonly call: number;
  readonly moment: StopMoment;
  /** For the judge: what its client knew; whether the files have not been recovered yet, so that they can be compared. */
  readonly knowledge: string;
  readonly isUntouched: boolean;
}

/** What this process is asked to do. */
export interface CallRequest {
  readonly task: 'run' | 'recover' | 'judge';
  readonly stores: readonly CallStore[];
  readonly fault?: CallFault;
  /** A mounted ext4, which is shut down at the last call, before this process is killed. */
  readonly shutDown?: string;
}

/** What it says of one store. */
export type CallMessage =
  | { readonly kind: 'stopped'; readonly index: number; readonly knowledge: string }
  | { readonly kind: 'ended'; readonly index: number; readonly knowledge: string; readonly failure?: CrashFailure }
  | {
      readonly kind: 'judged';
      readonly index: number;
      readonly failure?: CrashFailure;
      /** How the files differ from what the simulated disk expects; empty where they do not. */
      readonly difference: string;
      readonly isCompared: boolean;
    }
  | { readonly kind: 'done' };

const request = await receiveRequest<CallRequest>();

function say(message: CallMessage): void {
  tell(message);
}

/** Runs something on a store up to its call; in the last store that is the end of this process. */
function upToCall(index: number, store: CallStore, knowledge: () => string, run: (vfs: CallVfs) => void): void {
  const onStop = (): void => {
    say({ kind: 'stopped', index, knowledge: knowledge() });
    if (index < request.stores.length - 1) return;
    if (request.shutDown !== undefined) shutDownExt4(request.shutDown);
    process.kill(process.pid, 'SIGKILL');
  };
  const vfs = new CallVfs(new NodeVfs(store.directory), store.call, store.moment, onStop, request.fault);
  try {
    run(vfs);
  } catch (error) {
    if (!isPowerCut(error)) throw error;
  }
}

function runStore(index: number, store: CallStore): void {
  let client: CrashClient | undefined;
  const knowledge = (): string => (client === undefined ? '' : encodeKnowledge(client.knowledge()));
  upToCall(index, store, knowledge, (vfs) => {
    client = new CrashClient(vfs, store.program, () => undefined);
    const failure = client.run();
    say({ kind: 'ended', index, knowledge: knowledge(), ...(failure === undefined ? {} : { failure }) });
  });
}

function recoverStore(index: number, store: CallStore): void {
  const now = decodeKnowledge(store.knowledge).time.nowEarliest;
  upToCall(
    index,
    store,
    () => store.knowledge,
    (vfs) => {
      const failure = failureOfOpening(vfs, store.program, now);
      say({ kind: 'ended', index, knowledge: store.knowledge, ...(failure === undefined ? {} : { failure }) });
    },
  );
}

function failureOfOpening(vfs: CallVfs, program: Program, now: number): CrashFailure | undefined {
  try {
    new CrashStore(vfs, program, () => undefined, new ManualClock(now));
    return undefined;
  } catch (error) {
    if (isPowerCut(error)) throw error;
    return failureOf(error);
  }
}

function judgeStore(index: number, { directory, program, call, moment, knowledge, isUntouched }: CallStore): void {
  const vfs = new NodeVfs(directory);
  const isCompared = isUntouched && moment === 'before';
  const difference = isCompared
    ? differenceFrom(diskAtCall(program, call, 'strict', 512).currentImage(), imageOfFolder(vfs))
    : undefined;
  const failure = examineStore(vfs, program, afterKill(decodeKnowledge(knowledge)));
  const found = failure === undefined ? {} : { failure };
  say({ kind: 'judged', index, difference: difference ?? '', isCompared, ...found });
}

for (const [index, store] of request.stores.entries()) {
  if (request.task === 'run') runStore(index, store);
  else if (request.task === 'recover') recoverStore(index, store);
  else judgeStore(index, store);
}
tellAndEnd({ kind: 'done' } satisfies CallMessage);
