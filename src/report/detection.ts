/** The detection table: one planted bug a row, how it was found and how long that took. Data, kept in reports/baselines. */
import { join } from 'node:path';
import { z } from 'zod';
import { listNames, readTextIfThere } from './files.ts';

const FOLDER = 'reports/baselines';
const NAME = /^detection-\d{4}-\d{2}-\d{2}\.json$/;

const rowSchema = z.strictObject({
  name: z.string(),
  component: z.string(),
  recreates: z.string(),
  stage: z.string(),
  difficulty: z.string(),
  outcome: z.enum(['caught', 'survived', 'broken']),
  /** The class that was reported; empty when nothing was. */
  class: z.string(),
  /** Judged recoveries before it was found; `null` for stages that count none. */
  cycles: z.number().int().nonnegative().nullable(),
  /** CPU of the stage until it was found, and of shrinking; what is not told apart is all in the first. */
  cpuSeconds: z.number().nonnegative(),
  shrinkCpuSeconds: z.number().nonnegative(),
  /** Operations of the shrunk story, and its first sentence. */
  operations: z.number().int().nonnegative(),
  sentence: z.string(),
  detail: z.string(),
});

/** The schema of the file. */
export const detectionSchema = z.strictObject({
  format: z.literal('lightning-db detection'),
  version: z.literal(1),
  day: z.string(),
  seed: z.number().int().nonnegative(),
  budgetSeconds: z.number().positive(),
  sourcesHash: z.string(),
  rows: z.array(rowSchema),
});

/** A whole table. */
export type Detection = z.infer<typeof detectionSchema>;
/** One planted bug in it. */
export type DetectionRow = z.infer<typeof rowSchema>;

/** The newest table that is kept below a root; `undefined` without one that can be read. */
export function newestDetection(root: string): Detection | undefined {
  const name = listNames(join(root, FOLDER))
    .filter((one) => NAME.test(one))
    .sort()
    .at(-1);
  const text = name === undefined ? undefined : readTextIfThere(join(root, FOLDER, name));
  if (text === undefined) return undefined;
  const parsed = detectionSchema.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
}

/** Where the table of a day is kept. */
export function detectionFile(root: string, day: string): string {
  return join(root, FOLDER, `detection-${day}.json`);
}

/** The middle story length of what was caught, and the longest; 0 without any. */
export function storyLengths(rows: readonly DetectionRow[]): { readonly median: number; readonly longest: number } {
  const lengths = rows.filter(({ outcome }) => outcome === 'caught').map(({ operations }) => operations);
  lengths.sort((a, b) => a - b);
  return { median: lengths.at(Math.floor((lengths.length - 1) / 2)) ?? 0, longest: lengths.at(-1) ?? 0 };
}
