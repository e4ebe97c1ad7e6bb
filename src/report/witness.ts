/**
 * Capsules: one failure as one file. The case that replays, its story in words, what was recorded while it failed (the
 * stage's own business: I/O, disks), what it was recorded with, and a digest over all of it, so that a file that was
 * cut, edited or damaged is refused and never judged. Saved before anything else is done.
 */
import { z } from 'zod';
import { LightningError } from '../base/errors.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import { readTextIfThere, writeWhole } from './files.ts';
import { packageVersion } from './sources-hash.ts';

const FORMAT = 'lightning-db witness';
const VERSION = 2;

/** The schema of a capsule. `case` is what the stage's own `replay` takes, `recording` what it compares with. */
export const witnessSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  stage: z.string(),
  profile: z.string(),
  seed: z.number().int().nonnegative(),
  class: z.string(),
  message: z.string(),
  operations: z.number().int().nonnegative(),
  shrink: z.string(),
  story: z.array(z.string()),
  sourcesHash: z.string(),
  versions: z.strictObject({ package: z.string(), node: z.string(), platform: z.string() }),
  /** Equal for equal failures, whatever seed found them: stage, class and shrunk case. */
  fingerprint: z.string().length(16),
  case: z.unknown(),
  recording: z.unknown(),
  /** SHA-256 of the canonical JSON of everything else. */
  digest: z.string().length(64),
});

/** One capsule. */
export type Witness = z.infer<typeof witnessSchema>;
/** What a stage knows of a failure; the rest is added when it is written. */
export type WitnessBody = Omit<Witness, 'format' | 'version' | 'versions' | 'fingerprint' | 'digest'>;

/** The fingerprint of a failure. */
export function fingerprintOf(stage: string, failureClass: string, caseJson: unknown): string {
  return sha256(canonicalJson([stage, failureClass, caseJson])).slice(0, 16);
}

/** Writes a capsule durably. */
export function writeWitness(path: string, body: WitnessBody): void {
  const { stage, class: failureClass, case: caseJson } = body;
  const whole = {
    format: FORMAT,
    version: VERSION,
    ...body,
    recording: body.recording ?? null,
    versions: { package: packageVersion(), node: process.version, platform: `${process.platform} ${process.arch}` },
    fingerprint: fingerprintOf(stage, failureClass, caseJson),
  };
  writeWhole(path, `${JSON.stringify({ ...whole, digest: sha256(canonicalJson(whole)) }, null, 2)}\n`);
}

/**
 * Reads a capsule.
 * @throws LightningError `LIGHTNING_NOT_FOUND` without a file, `LIGHTNING_UNSUPPORTED_FORMAT` for a file of another kind
 *   or version, `LIGHTNING_EVIDENCE_REFUSED` for one that was cut, edited or damaged
 */
export function readWitness(path: string): Witness {
  const text = readTextIfThere(path);
  if (text === undefined) throw new LightningError('LIGHTNING_NOT_FOUND', `no capsule at ${path}`, { file: path });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // What begins like a capsule is one that lost its end.
    if (text.slice(0, 200).includes(FORMAT)) throw refused(path, 'cut', error);
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `${path} is not JSON`, { file: path }, error);
  }
  const kind = z.object({ format: z.literal(FORMAT), version: z.number() }).safeParse(value);
  if (!kind.success || kind.data.version !== VERSION) {
    const found = kind.success ? `a capsule of version ${kind.data.version}` : 'not a capsule';
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `${path} is ${found}`, { file: path });
  }
  const result = witnessSchema.safeParse(value);
  if (!result.success) throw refused(path, 'schema', result.error);
  const { digest, ...rest } = result.data;
  if (sha256(canonicalJson(rest)) !== digest) throw refused(path, 'edited');
  return result.data;
}

function refused(path: string, reason: string, cause?: unknown): LightningError {
  const message = `${path} is a damaged capsule (${reason}): what it says is not what was saved`;
  return new LightningError('LIGHTNING_EVIDENCE_REFUSED', message, { file: path, reason }, cause);
}
