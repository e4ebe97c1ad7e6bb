/** Profiles: which stages, with which budgets, controls and minimums. Data in spec/profiles, read and checked here. */
import { join } from 'node:path';
import { z } from 'zod';
import { LightningError } from '../base/errors.ts';
import { readTextIfThere } from '../report/files.ts';
import { sourceRoot } from '../report/sources-hash.ts';

const natural = z.number().int().nonnegative();

const stageSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]*$/),
  title: z.string(),
  /** What the stage asks, in one sentence, for the report. */
  question: z.string(),
  /** Path of the program in a checkout, from the root. */
  file: z.string(),
  /** `false`: the profile leaves the stage out, and the report says so. */
  run: z.boolean(),
  required: z.boolean(),
  /** The gate repeats one seed in another process and compares event hashes. */
  deterministic: z.boolean(),
  /** Whether the event hash depends on the seed; `false` only where a space is enumerated whole. */
  seeded: z.boolean(),
  budgetSeconds: z.number().positive(),
  /** 0: no null edit, for stages that judge no TypeScript. */
  nullEditBudgetSeconds: z.number().nonnegative(),
  timeoutSeconds: z.number().positive(),
  minimumCounts: z.record(z.string(), natural),
  requiredChecks: z.union([z.literal('all'), z.array(z.string())]),
  controls: z.strictObject({
    /** Planted bugs that are always run. */
    always: z.array(z.string()),
    /** How many more are drawn from the catalogue, at most half of all of them easy. */
    draw: natural,
    /** How many must be caught, `control:` checks of the stage included. */
    minimum: natural,
  }),
});

const profileSchema = z.strictObject({
  profile: z.string(),
  purpose: z.string(),
  /** Runs the sabotages against the miniature stage. */
  selfCheck: z.boolean(),
  stages: z.array(stageSchema).min(1),
});

/** One stage of a profile. */
export type StageSpecification = z.infer<typeof stageSchema>;
/** A profile. */
export type Profile = z.infer<typeof profileSchema>;

/** The names of the profiles that come with the package. */
export const PROFILE_NAMES = ['smoke', 'ci', 'release'] as const;

/**
 * Reads a profile.
 * @throws LightningError `LIGHTNING_NOT_FOUND` for an unknown one, `LIGHTNING_INVALID_ARGUMENT` for a malformed one
 */
export function readProfile(name: string, root: string = sourceRoot): Profile {
  const safe = /^[a-z][a-z0-9-]*$/.test(name);
  const text = safe ? readTextIfThere(join(root, 'spec/profiles', `${name}.json`)) : undefined;
  if (text === undefined) {
    throw new LightningError('LIGHTNING_NOT_FOUND', `no profile ${name}; there are ${PROFILE_NAMES.join(', ')}`, {
      name,
    });
  }
  const parsed = profileSchema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const message = `profile ${name}, ${issue.path.join('.')}: ${issue.message}`;
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', message, { name });
}
