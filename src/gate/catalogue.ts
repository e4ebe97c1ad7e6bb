/** The catalogue of planted bugs and sabotages, as the gate sees it. Stages see none of it. */
import { join } from 'node:path';
import { z } from 'zod';
import { LightningError } from '../base/errors.ts';
import type { Prng } from '../base/prng.ts';
import { applyEdits, CATALOGUE_FOLDERS, type Edit, fileInForm } from '../../planted-bugs/edits.ts';
import { sha256 } from '../report/canonical.ts';
import { listNames, readText, readTextIfThere } from '../report/files.ts';
import { sourceExtension, sourceRoot } from '../report/sources-hash.ts';

const entrySchema = z.object({
  name: z.string().regex(/^[a-z0-9-]+$/),
  kind: z.enum(['bug', 'sabotage', 'null']),
  component: z.string().min(1),
  recreates: z.string().min(1),
  stage: z.string().min(1),
  /** One class, or several of which any will do. */
  failureClass: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
  difficulty: z.string().min(1),
  /** Measured by the detection benchmark; a bug that takes longer than a third of a budget is not drawn. */
  p99SecondsToKill: z.number().positive().optional(),
  edits: z.array(z.object({ file: z.string(), find: z.string().min(1), replace: z.string() })).min(1),
});

/** One file of the catalogue. */
export type CatalogueEntry = z.infer<typeof entrySchema>;

/** Whether the sources run in their stripped form. */
const packed = sourceExtension === '.js';

/** Whether a failure class is one that the entry names. */
export function namesClass(entry: CatalogueEntry, failureClass: string): boolean {
  return [entry.failureClass].flat().includes(failureClass);
}

/**
 * Reads every catalogue file.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for a malformed one
 */
export function readCatalogue(root: string = sourceRoot): CatalogueEntry[] {
  const entries: CatalogueEntry[] = [];
  for (const folder of CATALOGUE_FOLDERS) {
    for (const name of listNames(join(root, folder))) {
      if (!name.endsWith('.json')) continue;
      const parsed = entrySchema.safeParse(JSON.parse(readText(join(root, folder, name))));
      if (!parsed.success) {
        const issue = parsed.error.issues[0];
        const message = `${folder}/${name}, ${issue.path.join('.')}: ${issue.message}`;
        throw new LightningError('LIGHTNING_INVALID_ARGUMENT', message, { name });
      }
      if (`${parsed.data.name}.json` !== name) {
        throw new LightningError(
          'LIGHTNING_INVALID_ARGUMENT',
          `${folder}/${name} calls itself ${parsed.data.name}`,
          {},
        );
      }
      entries.push(parsed.data);
    }
  }
  return entries;
}

/**
 * One entry by its name.
 * @throws LightningError `LIGHTNING_NOT_FOUND`
 */
export function findEntry(catalogue: readonly CatalogueEntry[], name: string): CatalogueEntry {
  const entry = catalogue.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  throw new LightningError('LIGHTNING_NOT_FOUND', `the catalogue has no ${name}`, { name });
}

/** Why an entry no longer fits the sources that run, or `undefined` when each of its edits matches exactly once. */
export function staleness(entries: readonly CatalogueEntry[], root: string = sourceRoot): string | undefined {
  const expected = expectedTexts(entries, root);
  return typeof expected === 'string' ? expected : undefined;
}

/** SHA-256 of each file as it must be loaded under these entries; a text when one is stale. */
export function expectedTexts(
  entries: readonly CatalogueEntry[],
  root: string = sourceRoot,
): ReadonlyMap<string, string> | string {
  const byFile = new Map<string, Edit[]>();
  for (const edit of entries.flatMap((entry) => entry.edits)) {
    byFile.set(edit.file, [...(byFile.get(edit.file) ?? []), edit]);
  }
  const hashes = new Map<string, string>();
  for (const [file, edits] of byFile) {
    const source = readTextIfThere(join(root, fileInForm(file, packed)));
    if (source === undefined) return `${file} is not there`;
    const result = applyEdits(source, edits, packed);
    if ('stale' in result) return result.stale;
    hashes.set(file, sha256(result.text));
  }
  return hashes;
}

/**
 * Draws planted bugs of one stage: those always run, and `count` more, of which so few are easy that at most half of
 * all are. Bugs that are known to need more than a third of the budget are not drawn.
 */
export function drawControls(
  catalogue: readonly CatalogueEntry[],
  stage: string,
  always: readonly string[],
  count: number,
  budgetSeconds: number,
  prng: Prng,
): CatalogueEntry[] {
  const drawn = always.map((name) => findEntry(catalogue, name));
  const total = drawn.length + count;
  const candidates = catalogue.filter(
    (entry) =>
      entry.kind === 'bug' &&
      entry.stage === stage &&
      !always.includes(entry.name) &&
      (entry.p99SecondsToKill ?? 0) <= budgetSeconds / 3,
  );
  for (const entry of prng.shuffle(candidates)) {
    if (drawn.length === total) break;
    const easy = drawn.filter(({ difficulty }) => difficulty === 'easy').length;
    if (entry.difficulty === 'easy' && (easy + 1) * 2 > total && total > 1) continue;
    drawn.push(entry);
  }
  return drawn;
}
