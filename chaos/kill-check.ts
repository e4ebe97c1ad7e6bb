/**
 * SIGKILL under load: rounds of one load on one store, each ended by a kill at a random moment (during recovery too), then
 * a last round that nobody disturbs. After each the store is examined as it lies there, opened, examined again, and its
 * contents judged.
 *
 * A kill leaves the page cache alone: it tests recovery and the order of acknowledgements, not durability against a
 * power cut. That is what the crash stage is for.
 */
import { join } from 'node:path';
import { isLightningError } from '../src/base/errors.ts';
import type { Prng } from '../src/base/prng.ts';
import { type Durability, Engine } from '../src/engine/index.ts';
import type { Finding } from '../src/database/verify/finding.ts';
import { verifyOpenStore, verifyStore } from '../src/database/verify/verify-store.ts';
import { makeDirectory, removeTree } from '../src/report/files.ts';
import { NodeVfs } from '../src/vfs/node-vfs.ts';
import { Child, type ChildEnd } from './child.ts';
import type { FaultyStore } from './faulty-store.ts';
import type { LoadMessage, LoadRequest } from './load-child.ts';
import { type Contents, LoadJudge } from './load-judge.ts';
import type { Load } from './load-plan.ts';

/** How long one round may take before it counts as a hang. */
const ROUND_SECONDS_MAX = 60;
const MODES: readonly Durability[] = ['none', 'interval', 'commit'];

/** When a round is ended. */
export interface Kill {
  /** The event that starts the delay: the child opens the store, or so many acknowledgements have come. */
  readonly after: 'opening' | 'acknowledgements';
  readonly count: number;
  readonly delayMilliseconds: number;
  /** What the killed process opened the store with. */
  readonly durability: Durability;
}

/** One campaign on one store; plain JSON, so that it replays. */
export interface KillPlan {
  readonly load: Load;
  readonly kills: readonly Kill[];
  readonly fault?: FaultyStore;
}

/** What was wrong. */
export interface KillFailure {
  readonly class: string;
  readonly message: string;
  /** Rounds up to the failure, itself included. */
  readonly rounds: number;
}

/** Told of what happens, where it happens. */
export interface KillObserver {
  killed(work: string, acknowledgements: number): void;
  recovered(entries: number, milliseconds: number): void;
  finished(entries: number, of: number): void;
}

/**
 * Draws when to kill: one in four while the store opens, the rest spread over the load, the durability modes in turn.
 * @param batchCount about as many batches as the load has
 */
export function drawKills(prng: Prng, count: number, batchCount: number): Kill[] {
  const kills: Kill[] = [];
  const atMost = Math.max(1, Math.floor((2 * batchCount) / (count + 2)));
  for (let round = 0; round < count; round++) {
    const durability = MODES[round % MODES.length];
    const delayMilliseconds = prng.below(4);
    if (round % 4 === 3) kills.push({ after: 'opening', count: 1, delayMilliseconds: prng.below(12), durability });
    else kills.push({ after: 'acknowledgements', count: prng.between(1, atMost), delayMilliseconds, durability });
  }
  return kills;
}

interface Round {
  readonly end: ChildEnd;
  readonly killed: boolean;
  readonly timedOut: boolean;
  readonly closed: boolean;
  readonly error: string | undefined;
  readonly work: string;
  readonly acknowledgements: number;
}

async function runRound(request: LoadRequest, kill: Kill | undefined, judge: LoadJudge): Promise<Round> {
  let killed = false;
  let timedOut = false;
  let closed = false;
  let error: string | undefined;
  let work = 'recovery';
  let acknowledgements = 0;
  const end = (): void => {
    killed = true;
    child.kill();
  };
  const arm = (): void => {
    if (kill === undefined || killed) return;
    if (kill.delayMilliseconds === 0) end();
    else setTimeout(end, kill.delayMilliseconds);
  };
  const child = new Child<LoadMessage>({
    program: 'load-child',
    request,
    onMessage(message) {
      if (message.kind === 'opening' && kill?.after === 'opening') arm();
      else if (message.kind === 'opened') work = 'the first appends';
      else if (message.kind === 'failed') error = message.error;
      else if (message.kind === 'closed') closed = true;
      else if (message.kind === 'acknowledged') {
        judge.acknowledge(message.client, message.number, request.attempt);
        work = message.work;
        acknowledgements++;
        if (kill?.after === 'acknowledgements' && acknowledgements === kill.count) arm();
      }
    },
  });
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill();
  }, ROUND_SECONDS_MAX * 1000);
  const ended = await child.ended;
  clearTimeout(timer);
  return { end: ended, killed: killed && ended.signal === 'SIGKILL', timedOut, closed, error, work, acknowledgements };
}

function problemsOf(findings: readonly Finding[], onlyDamage: boolean): string | undefined {
  const problem = findings.find((finding) => !onlyDamage || finding.severity === 'damage');
  return problem === undefined ? undefined : `${problem.file}: ${problem.problem}`;
}

function readAll(engine: Engine): Contents {
  const contents = new Map<string, Uint8Array>();
  const scan = engine.scan();
  while (scan.next()) contents.set(Buffer.from(scan.current.key()).toString('latin1'), scan.current.value());
  return contents;
}

type Judged = { readonly class: string; readonly message: string } | undefined;

/** Examines the store as it lies there, opens it, and judges what it shows. */
function examine(directory: string, load: Load, judge: LoadJudge, wasClosed: boolean): Judged {
  const vfs = new NodeVfs(directory);
  try {
    // Killed before it was created: there is nothing to examine, and an empty store has nothing to lose.
    const exists = vfs.kind('') === 'directory' && vfs.list('').includes('MANIFEST');
    const before = exists ? problemsOf(verifyStore(vfs, { isOpen: false }).findings, !wasClosed) : undefined;
    if (before !== undefined) return { class: 'integrity-problem', message: `before opening: ${before}` };
    makeDirectory(directory);
    const engine = Engine.open({ vfs }, { durability: load.durability, memtableBytes: load.memtableBytes });
    try {
      const objection = judge.judge(readAll(engine));
      if (objection !== undefined) return objection;
      const after = problemsOf(verifyOpenStore(engine, vfs), false);
      if (after !== undefined) return { class: 'integrity-problem', message: `after opening: ${after}` };
      engine.checkInvariants();
    } finally {
      engine.close();
    }
    return undefined;
  } catch (error) {
    const kind = isLightningError(error) ? 'unexpected-error' : 'uncoded-error';
    return { class: kind, message: `opening and reading after the kill: ${String(error)}` };
  }
}

function judgeRound(round: Round): Judged {
  if (round.timedOut) return { class: 'hang', message: `a round did not end within ${ROUND_SECONDS_MAX} s` };
  if (round.error !== undefined) return { class: 'unexpected-error', message: `under load: ${round.error}` };
  if (round.killed || round.closed) return undefined;
  const how = `code ${String(round.end.code)}, signal ${String(round.end.signal)}`;
  return { class: 'unexpected-error', message: `the child ended by itself (${how}): ${round.end.log.slice(-600)}` };
}

/** Runs a campaign in a fresh folder, which is removed when nothing is wrong; out of time, the last round comes at once. */
export async function runKillPlan(
  plan: KillPlan,
  directory: string,
  observer: KillObserver,
  isOutOfTime: () => boolean = () => false,
): Promise<KillFailure | undefined> {
  removeTree(directory);
  makeDirectory(directory);
  const store = join(directory, 'store');
  const judge = new LoadJudge(plan.load);
  for (let attempt = 1; attempt <= plan.kills.length + 1; attempt++) {
    const kill = isOutOfTime() ? undefined : plan.kills.at(attempt - 1);
    const request: LoadRequest = {
      directory: store,
      load: kill === undefined ? plan.load : { ...plan.load, durability: kill.durability },
      attempt,
      next: judge.next(),
      ...(plan.fault === undefined ? {} : { fault: plan.fault }),
    };
    const round = await runRound(request, kill, judge);
    if (round.killed) observer.killed(round.work, round.acknowledgements);
    let objection = judgeRound(round);
    const start = performance.now();
    objection ??= examine(store, plan.load, judge, round.closed);
    if (objection !== undefined) return { ...objection, rounds: attempt };
    observer.recovered(judge.found, performance.now() - start);
    if (!round.closed) continue;
    const wanted = plan.load.entriesPerClient * plan.load.clientCount;
    observer.finished(judge.found, wanted);
    if (judge.found !== wanted || judge.acknowledgedEntries !== wanted) {
      const message = `${judge.found} of ${wanted} entries are there after the last round`;
      return { class: 'lost-acknowledged-write', message, rounds: attempt };
    }
    break;
  }
  removeTree(directory);
  return undefined;
}

/** Small loads, the smallest first: what a failure is shrunk to is the first of these that fails alike. */
export function smallerPlans(plan: KillPlan, durability: Durability): KillPlan[] {
  const shapes: readonly (readonly [batches: number, entries: number, kill: Omit<Kill, 'durability'>])[] = [
    [1, 1, { after: 'acknowledgements', count: 1, delayMilliseconds: 0 }],
    [1, 2, { after: 'acknowledgements', count: 1, delayMilliseconds: 0 }],
    [1, 2, { after: 'opening', count: 1, delayMilliseconds: 20 }],
    [2, 1, { after: 'acknowledgements', count: 1, delayMilliseconds: 1 }],
    [3, 2, { after: 'acknowledgements', count: 2, delayMilliseconds: 1 }],
    [6, 2, { after: 'acknowledgements', count: 5, delayMilliseconds: 0 }],
  ];
  return shapes.map(([batches, entries, kill]) => ({
    ...plan,
    load: { ...plan.load, durability, clientCount: 1, entriesPerClient: batches * entries, batchEntriesMax: entries },
    kills: [{ ...kill, durability }],
  }));
}

/** A plan in words, one line a step. */
export function describePlan(plan: KillPlan): string[] {
  const { load } = plan;
  const entries = load.clientCount * load.entriesPerClient;
  const lines: string[] = [];
  for (const kill of plan.kills) {
    const when = kill.after === 'opening' ? 'while the store is being opened' : `at acknowledgement ${kill.count}`;
    lines.push(
      `open in durability ${kill.durability}, memtables of ${load.memtableBytes} bytes`,
      `${load.clientCount} clients write ${entries} entries, 1 to ${load.batchEntriesMax} a batch, where they stand`,
      `SIGKILL ${when}, ${kill.delayMilliseconds} ms later`,
      'open again and read everything',
    );
  }
  return lines;
}

/** Steps of a plan: one an opening and a kill, one a batch. */
export function operationsOfPlan(plan: KillPlan): number {
  return 3 * plan.kills.length + new LoadJudge(plan.load).batchCount;
}
