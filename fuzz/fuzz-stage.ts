/**
 * The stage `fuzz`: hostile bytes for every decoder of the engine, and of histories. jsfuzz mutates, guided by coverage of
 * the sources; the harness behind it repairs magic and checksums, so that mutations reach what lies behind them; a naive
 * reading judges what is accepted. Two targets at a time, each in processes of its own.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { Prng } from '../src/base/prng.ts';
import { makeDirectory } from '../src/report/files.ts';
import { stageMain, type StageContext } from '../src/report/stage.ts';
import { readCorpus } from './corpus.ts';
import { type DecoderTarget, judge, type Judgement } from './decoder-target.ts';
import { judgeApart } from './judge-apart.ts';
import { type JsfuzzResult, runJsfuzz } from './jsfuzz-run.ts';
import { mutate, neighbours } from './mutate.ts';
import { shrinkBytes } from './shrink-bytes.ts';
import { TARGETS, targetNamed } from './target-list.ts';

const TARGETS_AT_A_TIME = 2;
/** Below this many executions a target was not fuzzed. */
const EXECUTIONS_MIN = 300;
/** However small the budget, and what it takes to start and end jsfuzz. */
const SECONDS_MIN = 1;
const START_SECONDS = 1;
const SHRINK_SECONDS = 8;
const HASHED_INPUTS = 60;

/** A saved case. */
const caseSchema = z.object({ target: z.string(), class: z.string(), bytes: z.base64() });
type FuzzCase = z.infer<typeof caseSchema>;

type Failed = Extract<Judgement, { kind: 'failed' }>;

function caseOf(target: DecoderTarget, failed: Failed, input: Uint8Array): FuzzCase {
  return { target: target.name, class: failed.class, bytes: Buffer.from(input).toString('base64') };
}

/** The input as lines of sixteen bytes. */
function tell(target: DecoderTarget, failed: Failed, input: Uint8Array): string[] {
  const lines = [`the decoder of ${target.name} is given ${input.length} bytes (the first one chooses repairs):`];
  const hex = Buffer.from(input).toString('hex');
  for (let at = 0; at < hex.length; at += 32) {
    lines.push(`${(at / 2).toString(16).padStart(4, '0')}  ${hex.slice(at, at + 32).replaceAll(/(..)(?=.)/g, '$1 ')}`);
  }
  lines.push(failed.message);
  return lines;
}

/** Shrinks a failing input and reports it. */
async function report(context: StageContext, target: DecoderTarget, failed: Failed, input: Uint8Array): Promise<void> {
  let bytes = input;
  let how = 'not shrunk: each try would hang';
  if (failed.class !== 'hang') {
    const end = context.elapsedSeconds() + SHRINK_SECONDS;
    const fails = (candidate: Uint8Array): boolean => {
      const judgement = judge(target, candidate);
      return judgement.kind === 'failed' && judgement.class === failed.class;
    };
    const shrunk = shrinkBytes(input, fails, () => context.elapsedSeconds() > end);
    bytes = shrunk.bytes;
    how = `${input.length} bytes to ${bytes.length} in ${shrunk.runs} tries${shrunk.minimal ? '' : ', time was up'}`;
  }
  const again = failed.class === 'hang' ? failed : judge(target, bytes);
  const shown = again.kind === 'failed' ? again : failed;
  await context.fail({
    class: shown.class,
    message: `${target.name}: ${shown.message}`,
    case: caseOf(target, shown, bytes),
    story: tell(target, shown, bytes),
    operations: 1,
    shrink: how,
  });
}

/** The committed inputs must be right before they are mutated. Returns whether all are. */
async function checkCorpus(context: StageContext): Promise<boolean> {
  let inputs = 0;
  for (const target of TARGETS) {
    const corpus = readCorpus(target.name);
    if (corpus.size === 0) throw new LightningError('LIGHTNING_HARNESS', `no corpus for ${target.name}`);
    for (const input of corpus.values()) {
      inputs++;
      const judgement = judge(target, input);
      if (judgement.kind !== 'failed') continue;
      context.check('starting corpus', 'fail', `${target.name}: ${judgement.message}`);
      await report(context, target, judgement, input);
      return false;
    }
  }
  context.count('inputs of the starting corpus', inputs);
  context.check('starting corpus', 'pass', `${inputs} valid inputs are read as they should be`);
  return true;
}

/** Books what jsfuzz did on one target. */
function account(context: StageContext, target: DecoderTarget, result: JsfuzzResult): void {
  const { executions, accepted, refused, coverage, newInputs, seconds } = result;
  context.count('executions', executions);
  context.count(`executions on ${target.name}`, executions);
  context.count('inputs accepted', accepted);
  context.count('inputs refused', refused);
  context.count('inputs that reached new code', newInputs);
  if (seconds > 0) context.figure(`executions per second on ${target.name}`, executions / seconds, '1/s');
  context.series(`coverage of ${target.name}`, result.growth, 'executions', 'places reached');
  if (result.crash !== undefined) return;
  const explored = `${executions} executions, ${accepted} accepted, ${coverage} places reached, corpus grew by ${newInputs}`;
  const inside = executions >= EXECUTIONS_MIN && accepted > 0 && coverage > 0;
  context.check(`decoder:${target.name}`, inside ? 'pass' : 'vacuous', explored);
}

/** Finds the input over which jsfuzz stopped, and reports it. */
async function judgeCrash(
  context: StageContext,
  target: DecoderTarget,
  result: JsfuzzResult,
  crash: Uint8Array,
  seed: number,
): Promise<void> {
  const suspects = result.failing === undefined ? [crash, ...neighbours(crash, seed)] : [result.failing];
  for (const input of suspects) {
    const judgement = await judgeApart(target.name, input, context.workDirectory);
    if (judgement.kind !== 'failed') continue;
    context.check(`decoder:${target.name}`, 'fail', judgement.message);
    await report(context, target, judgement, input);
    return;
  }
  const why = result.stoppedFor === undefined ? 'crashed' : `was stopped for its ${result.stoppedFor}`;
  throw new LightningError('LIGHTNING_HARNESS', `${target.name} ${why} over an input that does not fail apart`);
}

async function fuzzAll(context: StageContext): Promise<void> {
  const random = new Prng(context.seed);
  const seeds = new Map(TARGETS.map((target) => [target, random.uint32()]));
  const waiting = [...TARGETS];
  // What is left of the budget is shared by the rounds that are left: starting takes longer on a busy machine.
  const share = (): number => {
    const rounds = Math.ceil((waiting.length + 1) / TARGETS_AT_A_TIME);
    return Math.max(SECONDS_MIN, (context.budgetSeconds - context.elapsedSeconds()) / rounds - START_SECONDS);
  };
  let failed = false;
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target !== undefined && !failed; target = waiting.shift()) {
      context.progress(target.name, TARGETS.length - waiting.length, TARGETS.length);
      const directory = join(context.workDirectory, `jsfuzz-${target.name}`);
      const seed = seeds.get(target) ?? 0;
      const result = await runJsfuzz({ target: target.name, directory, seed, seconds: share(), stopped: () => failed });
      const stoppedEarly = failed;
      if (!stoppedEarly || result.crash !== undefined) account(context, target, result);
      if (stoppedEarly || result.crash === undefined) continue;
      failed = true;
      await judgeCrash(context, target, result, result.crash, seed);
    }
  };
  await Promise.all(Array.from({ length: TARGETS_AT_A_TIME }, work));
}

/** A piece that depends on the seed alone: the judgements of mutated inputs, in this process. */
function hashPiece(context: StageContext): void {
  const random = new Prng(context.seed);
  for (const target of TARGETS) {
    const corpus = [...readCorpus(target.name).values()];
    for (let i = 0; i < HASHED_INPUTS; i++) {
      const input = mutate(random.pick(corpus), random);
      context.hash(input);
      context.hash(JSON.stringify(judge(target, input)));
      context.count('executions');
    }
  }
}

await stageMain({
  name: 'fuzz',
  deterministic: true,
  async run(context) {
    makeDirectory(context.workDirectory);
    if (context.hashOnly) {
      hashPiece(context);
      return;
    }
    if (!(await checkCorpus(context))) return;
    await fuzzAll(context);
    context.notTested('the header block of tree.db, and inputs above four kilobytes');
    context.notTested('zlib itself: streams that it unpacks without an error are taken as they come');
  },
  async replay(context, caseJson) {
    const parsed = caseSchema.safeParse(caseJson);
    if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a case of the fuzz stage');
    const known = TARGETS.some(({ name }) => name === parsed.data.target);
    if (!known) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'a case of a decoder that is not known here');
    const target = targetNamed(parsed.data.target);
    const input = new Uint8Array(Buffer.from(parsed.data.bytes, 'base64'));
    const judgement = await judgeApart(target.name, input, context.workDirectory);
    context.count('executions');
    if (judgement.kind !== 'failed') return;
    await context.fail({
      class: judgement.class,
      message: `${target.name}: ${judgement.message}`,
      case: caseOf(target, judgement, input),
      story: tell(target, judgement, input),
      operations: 1,
    });
  },
});
