/** Witnesses: one failing case as a file that replays, with its story in words. Saved before anything else is done. */
import { z } from 'zod';
import { LightningError } from '../base/errors.ts';
import { readTextIfThere, writeWhole } from './files.ts';

/** The schema of a witness file. `case` is what the stage's own `replay` takes. */
export const witnessSchema = z.object({
  format: z.literal('lightning-db witness'),
  version: z.literal(1),
  stage: z.string(),
  profile: z.string(),
  seed: z.number().int().nonnegative(),
  class: z.string(),
  message: z.string(),
  operations: z.number().int().nonnegative(),
  shrink: z.string(),
  story: z.array(z.string()),
  sourcesHash: z.string(),
  case: z.unknown(),
});

/** One witness. */
export type Witness = z.infer<typeof witnessSchema>;

/** Writes a witness durably. */
export function writeWitness(path: string, witness: Witness): void {
  writeWhole(path, `${JSON.stringify(witness, null, 2)}\n`);
}

/**
 * Reads a witness.
 * @throws LightningError `LIGHTNING_NOT_FOUND` without a file, `LIGHTNING_UNSUPPORTED_FORMAT` for anything else
 */
export function readWitness(path: string): Witness {
  const text = readTextIfThere(path);
  if (text === undefined) throw new LightningError('LIGHTNING_NOT_FOUND', `no witness at ${path}`, { file: path });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `${path} is not JSON`, { file: path }, error);
  }
  const result = witnessSchema.safeParse(value);
  if (result.success) return result.data;
  throw new LightningError('LIGHTNING_UNSUPPORTED_FORMAT', `${path} is not a witness of this version`, { file: path });
}
