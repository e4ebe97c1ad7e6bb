/**
 * The committed inventory of tests: how many there are at least, and which may be skipped and why. Fewer tests, or a
 * skip that nobody listed, fails the tests; a test that is not run proves nothing.
 */
import { z } from 'zod';

/** The schema of properties/test-inventory.json. */
export const testInventorySchema = z.strictObject({
  /** Raised as tests are added, never lowered without a reason in the commit. */
  minimumTests: z.number().int().positive(),
  skips: z.array(z.strictObject({ test: z.string(), reason: z.string().min(1) })),
});

/** What is committed. */
export type TestInventory = z.infer<typeof testInventorySchema>;

/** What a run, or a look at the sources, has found. */
export interface ObservedTests {
  /** Tests that were run; `undefined` where only a part was asked for. */
  readonly run: number | undefined;
  /** Full names of skipped tests. */
  readonly skipped: readonly string[];
}

/** What is wrong, in words; empty when nothing is. */
export function judgeInventory(committed: TestInventory, observed: ObservedTests): string[] {
  const problems: string[] = [];
  if (observed.run !== undefined && observed.run < committed.minimumTests) {
    problems.push(`${observed.run} tests were run, the inventory demands ${committed.minimumTests}`);
  }
  const listed = new Set(committed.skips.map(({ test }) => test));
  for (const test of observed.skipped) if (!listed.has(test)) problems.push(`an unlisted skip: ${test}`);
  return problems;
}

const SKIP = /\b(?:it|test|describe|suite)\s*\.\s*(?:skip|todo|only|skipIf|runIf)\b[^'"`\n]*(?:['"`]([^'"`\n]*))?/g;

/** Names of tests that a source text skips, singles out or leaves to do; `(without a name)` where it gives none. */
export function findSkips(source: string): string[] {
  return [...source.matchAll(SKIP)].map((match) => match[1] ?? '(without a name)');
}
