/** Coverage files in the format of Istanbul (`coverage-final.json`), reduced to lines and branches. */
import { z } from 'zod';

const placeSchema = z.object({ start: z.object({ line: z.number().nullish() }) });

const reportSchema = z.record(
  z.string(),
  z.object({
    path: z.string(),
    statementMap: z.record(z.string(), placeSchema),
    s: z.record(z.string(), z.number()),
    b: z.record(z.string(), z.array(z.number())),
  }),
);

/** One file. */
export interface FileCoverage {
  readonly file: string;
  /** Lines on which a statement begins, and whether it was reached. */
  readonly lines: ReadonlyMap<number, boolean>;
  /** Whether each branch was taken. */
  readonly branches: readonly boolean[];
}

/**
 * Reads a report. Throws a ZodError for what is none.
 * @param name what to call a file of that path
 */
export function readCoverage(value: unknown, name: (path: string) => string): FileCoverage[] {
  return Object.values(reportSchema.parse(value)).map(({ path, statementMap, s, b }) => {
    const lines = new Map<number, boolean>();
    for (const [id, { start }] of Object.entries(statementMap)) {
      if (typeof start.line !== 'number') continue;
      lines.set(start.line, (lines.get(start.line) ?? false) || s[id] > 0);
    }
    const branches = Object.values(b).flatMap((counts) => counts.map((count) => count > 0));
    return { file: name(path), lines, branches };
  });
}

/**
 * Files seen by several tools. Lines are those of the report that has the fewest for a file (c8 counts comments and
 * blank lines as statements); one counts as reached when any report says so. Branches cannot be matched between tools:
 * each file keeps those of the report that tells the most apart, so what only the other tool saw is not credited.
 */
export function mergeCoverage(reports: readonly FileCoverage[]): FileCoverage[] {
  const byFile = new Map<string, FileCoverage>();
  for (const report of reports) {
    const known = byFile.get(report.file);
    if (known === undefined) {
      byFile.set(report.file, report);
      continue;
    }
    const [fewer, more] = known.lines.size <= report.lines.size ? [known, report] : [report, known];
    const lines = new Map([...fewer.lines].map(([line, hit]) => [line, hit || more.lines.get(line) === true]));
    const branches = known.branches.length >= report.branches.length ? known.branches : report.branches;
    byFile.set(report.file, { file: report.file, lines, branches });
  }
  return [...byFile.values()];
}

/** How many of them are true, in percent; 0 of none. */
export function share(hits: readonly boolean[]): number {
  return hits.length === 0 ? 0 : (hits.filter((hit) => hit).length * 100) / hits.length;
}
