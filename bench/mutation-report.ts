/** What Stryker found, read from its JSON report (the mutation testing report schema). */
import { z } from 'zod';

const mutantSchema = z.object({
  id: z.string(),
  mutatorName: z.string(),
  replacement: z.string().optional(),
  status: z.string(),
  statusReason: z.string().optional(),
  testsCompleted: z.number().optional(),
  coveredBy: z.array(z.string()).optional(),
  location: z.object({ start: z.object({ line: z.number(), column: z.number() }) }),
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
  /** Tests run per mutant that some test covers; 0 when none was run on any. */
  readonly testsPerMutant: number;
}

/** Reads one report. Throws a ZodError for what is none. */
export function readMutationReport(value: unknown): MutationSummary {
  const survivors: Survivor[] = [];
  let killed = 0;
  let timedOut = 0;
  let leftOut = 0;
  let tested = 0;
  let tests = 0;
  for (const [file, { mutants }] of Object.entries(reportSchema.parse(value).files)) {
    for (const mutant of mutants) {
      if (mutant.status === 'Killed') killed++;
      else if (mutant.status === 'Timeout') timedOut++;
      else if (mutant.status === 'Survived' || mutant.status === 'NoCoverage') {
        const { mutatorName: mutator, replacement = '', location } = mutant;
        const uncovered = mutant.status === 'NoCoverage';
        survivors.push({ file, line: location.start.line, mutator, replacement, uncovered });
      } else leftOut++;
      if (mutant.status !== 'Killed' && mutant.status !== 'Survived') continue;
      tested++;
      tests += mutant.testsCompleted ?? 0;
    }
  }
  return { killed, timedOut, survivors, leftOut, testsPerMutant: tested === 0 ? 0 : tests / tested };
}

/** Sums over several reports. */
export function addSummaries(summaries: readonly MutationSummary[]): MutationSummary {
  const sum = (pick: (one: MutationSummary) => number): number =>
    summaries.reduce((total, one) => total + pick(one), 0);
  const weight = (one: MutationSummary): number =>
    one.killed + one.survivors.filter(({ uncovered }) => !uncovered).length;
  const tested = sum(weight);
  return {
    killed: sum((one) => one.killed),
    timedOut: sum((one) => one.timedOut),
    survivors: summaries.flatMap((one) => one.survivors),
    leftOut: sum((one) => one.leftOut),
    testsPerMutant: tested === 0 ? 0 : sum((one) => one.testsPerMutant * weight(one)) / tested,
  };
}

/** Share of mutants that were noticed, in percent; 0 without any. */
export function mutationScore({ killed, timedOut, survivors }: MutationSummary): number {
  const total = killed + timedOut + survivors.length;
  return total === 0 ? 0 : ((killed + timedOut) * 100) / total;
}
