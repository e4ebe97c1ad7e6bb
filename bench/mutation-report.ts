/** What Stryker found, read from its JSON report (the mutation testing report schema). */
import { z } from 'zod';

const pointSchema = z.object({ line: z.number(), column: z.number() });

const mutantSchema = z.object({
  id: z.string(),
  mutatorName: z.string(),
  replacement: z.string().optional(),
  status: z.string(),
  statusReason: z.string().optional(),
  testsCompleted: z.number().optional(),
  coveredBy: z.array(z.string()).optional(),
  location: z.object({ start: pointSchema, end: pointSchema }),
});

const reportSchema = z.object({ files: z.record(z.string(), z.object({ mutants: z.array(mutantSchema) })) });

/** A mutant that no test noticed. */
export interface Survivor {
  readonly file: string;
  readonly line: number;
  readonly mutator: string;
  readonly replacement: string;
  /** No test reaches it at all. */
  readonly uncovered: boolean;
}

/** Sums over a report. */
export interface MutationSummary {
  readonly killed: number;
  /** Mutants over which the tests did not end: noticed too. */
  readonly timedOut: number;
  readonly survivors: readonly Survivor[];
  /** Mutants that were neither: not compiled, ignored, static. */
  readonly leftOut: number;
  /** Mutants whose result comes from an earlier run. */
  readonly remembered: number;
  /** Mutants that were shown to tests now, or all of them when every result is remembered. */
  readonly tested: number;
  /** Tests run per such mutant; 0 when none was run on any. */
  readonly testsPerMutant: number;
}

type Mutant = z.infer<typeof mutantSchema>;

/** What a mutant is, whatever number it has in a report. */
function identify(file: string, { location, mutatorName, replacement }: Mutant): string {
  return JSON.stringify([file, location, mutatorName, replacement]);
}

function average(mutants: readonly Mutant[]): number {
  const tests = mutants.reduce((total, { testsCompleted = 0 }) => total + testsCompleted, 0);
  return mutants.length === 0 ? 0 : tests / mutants.length;
}

/**
 * Reads one report. Throws a ZodError for what is none.
 * @param earlier the report that Stryker was given to remember; what it holds counts as remembered, so that an old result
 *   cannot stand in for tests that are no longer run
 */
export function readMutationReport(value: unknown, earlier?: unknown): MutationSummary {
  const known = new Set<string>();
  for (const [file, { mutants }] of Object.entries(earlier === undefined ? {} : reportSchema.parse(earlier).files)) {
    for (const mutant of mutants) known.add(identify(file, mutant));
  }
  const survivors: Survivor[] = [];
  const tested: Mutant[] = [];
  const fresh: Mutant[] = [];
  let [killed, timedOut, leftOut, remembered] = [0, 0, 0, 0];
  for (const [file, { mutants }] of Object.entries(reportSchema.parse(value).files)) {
    for (const mutant of mutants) {
      if (mutant.status === 'Killed') killed++;
      else if (mutant.status === 'Timeout') timedOut++;
      else if (mutant.status === 'Survived' || mutant.status === 'NoCoverage') {
        const { mutatorName: mutator, replacement = '', location } = mutant;
        const uncovered = mutant.status === 'NoCoverage';
        survivors.push({ file, line: location.start.line, mutator, replacement, uncovered });
      } else leftOut++;
      const isKnown = known.has(identify(file, mutant));
      if (isKnown) remembered++;
      if (mutant.status !== 'Killed' && mutant.status !== 'Survived') continue;
      tested.push(mutant);
      if (!isKnown) fresh.push(mutant);
    }
  }
  const shown = fresh.length > 0 ? fresh : tested;
  return { killed, timedOut, survivors, leftOut, remembered, tested: shown.length, testsPerMutant: average(shown) };
}

/** Sums over several reports. */
export function addSummaries(summaries: readonly MutationSummary[]): MutationSummary {
  const sum = (pick: (one: MutationSummary) => number): number => summaries.reduce((all, one) => all + pick(one), 0);
  const tested = sum((one) => one.tested);
  return {
    killed: sum((one) => one.killed),
    timedOut: sum((one) => one.timedOut),
    survivors: summaries.flatMap((one) => one.survivors),
    leftOut: sum((one) => one.leftOut),
    remembered: sum((one) => one.remembered),
    tested,
    testsPerMutant: tested === 0 ? 0 : sum((one) => one.testsPerMutant * one.tested) / tested,
  };
}

/** Share of mutants that were noticed, in percent; 0 without any. */
export function mutationScore({ killed, timedOut, survivors }: MutationSummary): number {
  const total = killed + timedOut + survivors.length;
  return total === 0 ? 0 : ((killed + timedOut) * 100) / total;
}
