/**
 * What a capsule of this stage records beside its case: each step that the disk was told, and each disk that a power cut
 * left. A replay is compared with it, so that "not reproduced" says whether the engine took the same way.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import { LightningError } from '../src/base/errors.ts';
import { DiskImage } from '../src/faults/disk-image.ts';
import type { CrashCase } from './crash-case.ts';
import { recover } from './crash-judge.ts';
import { type Leg, recordCase, type RecordedStep } from './crash-recording.ts';

/** The most steps of one leg that are kept; shrunk cases have a few dozen. */
const STEPS_MAX = 5_000;
/** Disks larger than this are kept as their hash alone. */
const IMAGE_BYTES_MAX = 4_000_000;

const recordingSchema = z.strictObject({
  legs: z.array(
    z.strictObject({
      steps: z.array(z.string()),
      stepCount: z.number().int().nonnegative(),
      /** Hash of the disk that was left. */
      hash: z.string(),
      /** Its files, deflated, in base64; `null` when they are too large. */
      files: z.record(z.string(), z.string()).nullable(),
      folders: z.array(z.string()),
    }),
  ),
});
type Recording = z.infer<typeof recordingSchema>;

/** Runs a case and records it. */
export function recordingOf(crashCase: CrashCase): Recording {
  return { legs: recordCase(crashCase).map(recordedLeg) };
}

function recordedLeg({ steps, left }: Leg): Recording['legs'][number] {
  const files: Record<string, string> = {};
  for (const path of left.paths()) {
    files[path] = deflateRawSync(left.get(path) ?? new Uint8Array(0)).toString('base64');
  }
  return {
    steps: steps.slice(0, STEPS_MAX).map(stepText),
    stepCount: steps.length,
    hash: left.hash(),
    files: left.sizeBytes > IMAGE_BYTES_MAX ? null : files,
    folders: left.folders(),
  };
}

/** One step as one line; equal lines are equal steps. */
function stepText({ number, operation, path, target, position, lengthBytes, checksum, fate }: RecordedStep): string {
  const bytes =
    operation === 'write' ? ` ${lengthBytes}@${position} crc ${checksum.toString(16).padStart(8, '0')}` : '';
  const size = operation === 'truncate' ? ` to ${position}` : '';
  return `${number} ${operation} ${path || '.'}${target === '' ? '' : ` ${target}`}${bytes}${size} ${fate}`;
}

/** The disk of a recorded leg; `undefined` when only its hash was kept. */
export function recordedImage({ files, folders, hash }: Recording['legs'][number]): DiskImage | undefined {
  if (files === null) return undefined;
  const image = new DiskImage();
  for (const folder of folders) image.addFolder(folder);
  for (const [path, text] of Object.entries(files)) image.set(path, inflate(text));
  if (image.hash() !== hash)
    throw new LightningError('LIGHTNING_EVIDENCE_REFUSED', 'a recorded disk has another hash', {});
  return image;
}

function inflate(text: string): Uint8Array {
  try {
    return new Uint8Array(inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: IMAGE_BYTES_MAX }));
  } catch (error) {
    throw new LightningError('LIGHTNING_EVIDENCE_REFUSED', 'a recorded file cannot be unpacked', {}, error);
  }
}

/** What a replay has to say beside its verdict. */
export interface Comparison {
  /** False when a cut of the case lies behind the end of the run: then passing says nothing. */
  readonly fits: boolean;
  readonly fitText: string;
  /** Whether the engine told the disk the same, and the same was left. */
  readonly courseText: string;
  /** What these sources make of the recorded disk itself. */
  readonly diskText: string;
}

/**
 * Runs a case again beside its recording.
 * @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT` for a recording of another kind, `LIGHTNING_EVIDENCE_REFUSED` for
 *   a damaged one
 */
export function compareRecording(crashCase: CrashCase, json: unknown): Comparison {
  const parsed = recordingSchema.safeParse(json);
  if (!parsed.success) throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', 'not a recording of this version');
  const recorded = parsed.data.legs;
  const legs = recordCase(crashCase);
  const unreached = legs.findIndex(({ cut, steps }) => cut !== undefined && steps.length < cut.step - 1);
  const last = recorded.at(-1);
  const image = last === undefined ? undefined : recordedImage(last);
  return {
    fits: unreached < 0,
    fitText:
      unreached < 0
        ? 'every power cut of the case was reached'
        : `the run ends after step ${legs[unreached].steps.length}, before the power cut at step ${legs[unreached].cut?.step ?? 0}`,
    courseText: courseOf(legs, recorded),
    diskText: image === undefined ? 'not kept' : openText(image, crashCase, legs[0].knowledge?.time.nowEarliest),
  };
}

function courseOf(legs: readonly Leg[], recorded: Recording['legs']): string {
  for (const [index, { steps, hash, stepCount }] of recorded.entries()) {
    const name = index === 0 ? 'the first run' : `recovery ${index}`;
    const now = legs.at(index) === undefined ? undefined : recordedLeg(legs[index]);
    const differs = steps.findIndex((text, i) => text !== now?.steps.at(i));
    if (differs >= 0) {
      return `differs in ${name}: recorded "${steps[differs]}", now "${now?.steps.at(differs) ?? 'nothing'}"`;
    }
    if (now?.stepCount !== stepCount)
      return `differs in ${name}: ${stepCount} steps recorded, now ${now?.stepCount ?? 0}`;
    if (now.hash !== hash) return `differs in ${name}: the same steps leave another disk`;
  }
  const steps = recorded.reduce((sum, { stepCount }) => sum + stepCount, 0);
  return `as recorded: the same ${steps} steps, and the same disk is left`;
}

function openText(image: DiskImage, { program, machine }: CrashCase, now: number | undefined): string {
  const recovery = recover(image, program, machine, now);
  if ('failure' in recovery) return `${recovery.failure.class}: ${recovery.failure.message}`;
  return `opens with ${recovery.rows.size} rows`;
}
