/** The rows of a run of the models as a table for people, and what they come to. */
import type { Tier } from './configurations.ts';
import type { ModelRow } from './model-runs.ts';

/** What a run comes to. */
export interface ModelVerdict {
  /** A name of the exit codes: vacuous and unknown both end in `unknown`. */
  readonly verdict: 'pass' | 'fail' | 'unknown';
  readonly headline: string;
}

/**
 * One line a configuration: what it must do, and what each checker found. States for a passing one, steps of the
 * counterexample for a broken one.
 */
export function modelTable(rows: readonly ModelRow[]): string[] {
  const names = [...new Set(rows.map(({ name }) => name))];
  const width = Math.max(...names.map((name) => name.length), 13);
  const head = `${'configuration'.padEnd(width)}  ${'must'.padEnd(34)}  ${'tla-checker'.padEnd(24)}  TLC`;
  return [
    head,
    ...names.map((name) => {
      const mine = rows.filter((row) => row.name === name);
      const [{ violates }] = mine;
      const cell = (checker: string): string => cellOf(mine.find((row) => row.checker === checker));
      const must = violates === undefined ? 'hold' : `violate ${violates}`;
      return `${name.padEnd(width)}  ${must.padEnd(34)}  ${cell('tla-checker').padEnd(24)}  ${cell('tlc')}`;
    }),
  ];
}

function cellOf(row: ModelRow | undefined): string {
  if (row === undefined) return '–';
  const { outcome, judged, seconds } = row;
  const time = `${seconds.toFixed(1)} s`;
  if (judged.verdict !== 'pass') return `${judged.verdict.toUpperCase()}: ${judged.detail}`;
  if (outcome.verdict === 'pass') return `${outcome.distinctStates} states, ${time}`;
  return outcome.verdict === 'violated' ? `${outcome.trace.length - 1} steps, ${time}` : judged.detail;
}

/**
 * fail > vacuous > unknown > pass. An unknown check is in the headline always, and decides under `release` alone, which
 * requires everything; that nothing at all was judged is never a pass.
 */
export function verdictOf(rows: readonly ModelRow[], tier: Tier): ModelVerdict {
  const count = (verdict: string): number => rows.filter(({ judged }) => judged.verdict === verdict).length;
  const [failed, vacuous, unknown, passed] = ['fail', 'vacuous', 'unknown', 'pass'].map(count);
  const agreed = bothCounted(rows);
  const reasons = new Set(rows.flatMap(({ outcome }) => (outcome.verdict === 'unknown' ? [outcome.reason] : [])));
  const said = [
    `${passed} checks passed`,
    `${agreed} configurations judged by both checkers alike`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(vacuous > 0 ? [`${vacuous} vacuous`] : []),
    ...(unknown > 0 ? [`${unknown} unknown (${[...reasons].join('; ')})`] : []),
  ].join(', ');
  const verdict =
    failed > 0 ? 'fail' : vacuous > 0 || passed === 0 || (unknown > 0 && tier === 'release') ? 'unknown' : 'pass';
  const word = verdict === 'unknown' && vacuous > 0 ? 'VACUOUS' : verdict.toUpperCase();
  return { verdict, headline: `${word} (${tier}): ${said}` };
}

/** Configurations that both checkers judged, with one outcome: the same count of states, or of steps. */
function bothCounted(rows: readonly ModelRow[]): number {
  const measure = ({ outcome }: ModelRow): number | undefined =>
    outcome.verdict === 'pass'
      ? outcome.distinctStates
      : outcome.verdict === 'violated'
        ? outcome.trace.length - 1
        : undefined;
  const first = new Map(rows.filter(({ checker }) => checker === 'tla-checker').map((row) => [row.name, measure(row)]));
  return rows.filter((row) => {
    const mine = measure(row);
    return row.checker === 'tlc' && mine !== undefined && first.get(row.name) === mine;
  }).length;
}
