/**
 * Evidence: what one process of a stage saw, written before any verdict is given. The field-by-field meaning is in
 * spec/evidence.md.
 *
 * 1. `digest` is the SHA-256 of the canonical JSON of everything but `digest` and `seal`: an edited file is refused.
 * 2. `seal` is an HMAC-SHA256 of the digest under a nonce that the gate draws for that one process and hands over in
 *    the environment: evidence of another process, an older run or a re-hashed edit is refused.
 * 3. Evidence of other sources, another seed, another stage or another mode is refused, and so is evidence that claims
 *    something although nothing was executed.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { LightningError } from '../base/errors.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import { readTextIfThere, writeWhole } from './files.ts';

const count = z.number().int().nonnegative();
const verdict = z.enum(['pass', 'fail', 'vacuous', 'unknown']);
const point = z.tuple([z.number(), z.number()]);

/** The schema of an evidence file, version 1. Unknown fields are refused. */
export const evidenceSchema = z.strictObject({
  format: z.literal('lightning-db evidence'),
  version: z.literal(1),
  stage: z.string().min(1),
  mode: z.enum(['run', 'hash', 'replay']),
  subject: z.strictObject({ engine: z.string(), version: z.string() }),
  runtime: z.strictObject({ node: z.string(), platform: z.string(), architecture: z.string() }),
  sources: z.strictObject({ hash: z.string().length(64), files: count }),
  edits: z.strictObject({
    applied: count,
    processes: count,
    hash: z.string(),
    files: z.array(z.strictObject({ file: z.string(), text: z.string() })),
  }),
  seed: count,
  profile: z.string(),
  budgetSeconds: z.number().nonnegative(),
  startedAt: z.string(),
  durationSeconds: z.number().nonnegative(),
  cpuSeconds: z.number().nonnegative(),
  deterministic: z.boolean(),
  eventHash: z.string(),
  counts: z.record(z.string(), count),
  situations: z.record(z.string(), count),
  figures: z.array(z.strictObject({ name: z.string(), value: z.number(), unit: z.string() })),
  series: z.array(z.strictObject({ name: z.string(), points: z.array(point), xLabel: z.string(), yLabel: z.string() })),
  checks: z.array(z.strictObject({ name: z.string(), verdict, detail: z.string() })),
  failures: z.array(
    z.strictObject({
      class: z.string(),
      message: z.string(),
      operations: count,
      shrink: z.string(),
      story: z.array(z.string()),
      witness: z.string(),
      afterSeconds: z.number().nonnegative(),
    }),
  ),
  notTested: z.array(z.string()),
  verdict,
  digest: z.string().length(64),
  seal: z.string(),
});

/** One evidence file. */
export type Evidence = z.infer<typeof evidenceSchema>;
/** Evidence before it is hashed and sealed. */
export type EvidenceBody = Omit<Evidence, 'digest' | 'seal'>;
/** The four verdicts. */
export type Verdict = z.infer<typeof verdict>;

const STRENGTH: readonly Verdict[] = ['pass', 'unknown', 'vacuous', 'fail'];

/** The strongest of several verdicts, in the order fail, vacuous, unknown, pass; of none it is vacuous. */
export function strongest(verdicts: readonly Verdict[]): Verdict {
  if (verdicts.length === 0) return 'vacuous';
  return STRENGTH[Math.max(...verdicts.map((one) => STRENGTH.indexOf(one)))];
}

/** What the checks and failures of a body amount to; never taken from what the body says of itself. */
export function recomputeVerdict(body: Pick<Evidence, 'checks' | 'failures'>): Verdict {
  if (body.failures.length > 0) return 'fail';
  return strongest(body.checks.map((check) => check.verdict));
}

/** The seal over a digest; an empty nonce (a run by hand) gives an empty seal. */
export function sealOf(digest: string, nonce: string): string {
  return nonce === '' ? '' : createHmac('sha256', nonce).update(digest).digest('hex');
}

/** Hashes and seals a body. */
export function sealEvidence(body: EvidenceBody, nonce: string): Evidence {
  const digest = sha256(canonicalJson(body));
  return { ...body, digest, seal: sealOf(digest, nonce) };
}

/** Writes evidence durably: temporary name, fsync, rename. */
export function writeEvidence(path: string, body: EvidenceBody, nonce: string): Evidence {
  const evidence = sealEvidence(body, nonce);
  writeWhole(path, `${JSON.stringify(evidence, null, 2)}\n`);
  return evidence;
}

/** Why evidence was refused; stands in `details.reason` of the error. */
export type RefusalReason =
  | 'missing'
  | 'cut'
  | 'schema'
  | 'edited'
  | 'seal'
  | 'other-stage'
  | 'other-mode'
  | 'other-seed'
  | 'other-profile'
  | 'other-sources'
  | 'own-verdict-wrong'
  | 'zero-executions';

/** What the reader demands of an evidence file. Fields left out are not compared. */
export interface Expectation {
  readonly stage?: string;
  readonly mode?: Evidence['mode'];
  readonly seed?: number;
  readonly profile?: string;
  readonly sourcesHash?: string;
  /** The nonce of the process; left out when evidence is judged again later, when only the digest can be checked. */
  readonly nonce?: string;
}

function refuse(path: string, reason: RefusalReason, text: string): never {
  throw new LightningError('LIGHTNING_EVIDENCE_REFUSED', `evidence refused: ${text}`, { file: path, reason });
}

function parse(path: string): Evidence {
  const text = readTextIfThere(path);
  if (text === undefined) refuse(path, 'missing', 'the stage ended without writing any');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) refuse(path, 'cut', 'the file is cut short or is not JSON');
    throw error;
  }
  const result = evidenceSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  return refuse(path, 'schema', `the field ${issue.path.join('.') || '(root)'}: ${issue.message}`);
}

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Whether anything at all was counted, or a witness found. */
export function executedAnything(evidence: Pick<Evidence, 'counts' | 'failures'>): boolean {
  return evidence.failures.length > 0 || Object.values(evidence.counts).some((value) => value > 0);
}

/**
 * Reads evidence and refuses what proves nothing.
 * @throws LightningError `LIGHTNING_EVIDENCE_REFUSED` with `details.reason` ({@link RefusalReason}) and `details.file`
 */
export function readEvidence(path: string, expected: Expectation): Evidence {
  const evidence = parse(path);
  const { digest, seal, ...body } = evidence;
  if (sha256(canonicalJson(body)) !== digest) refuse(path, 'edited', 'its content does not match its own digest');
  if (expected.nonce !== undefined && !sameText(seal, sealOf(digest, expected.nonce))) {
    refuse(path, 'seal', 'it was not sealed by the process that was started for it');
  }
  if (expected.stage !== undefined && evidence.stage !== expected.stage) {
    refuse(path, 'other-stage', `it is of the stage ${evidence.stage}, not ${expected.stage}`);
  }
  if (expected.mode !== undefined && evidence.mode !== expected.mode) {
    refuse(path, 'other-mode', `it is of a ${evidence.mode}, not a ${expected.mode}`);
  }
  if (expected.profile !== undefined && evidence.profile !== expected.profile) {
    refuse(path, 'other-profile', `it is of the profile ${evidence.profile}, not ${expected.profile}`);
  }
  if (expected.seed !== undefined && evidence.seed !== expected.seed) {
    refuse(path, 'other-seed', `it is of seed ${evidence.seed}, the gate promised ${expected.seed}`);
  }
  if (expected.sourcesHash !== undefined && evidence.sources.hash !== expected.sourcesHash) {
    refuse(path, 'other-sources', 'it is of other sources than those judged');
  }
  if (recomputeVerdict(evidence) !== evidence.verdict) {
    refuse(path, 'own-verdict-wrong', 'its verdict does not follow from its checks');
  }
  const claims = evidence.verdict === 'pass' || evidence.checks.some((check) => check.verdict === 'pass');
  if (evidence.mode === 'run' && claims && !executedAnything(evidence)) {
    refuse(path, 'zero-executions', 'it claims a pass although nothing was executed');
  }
  return evidence;
}
