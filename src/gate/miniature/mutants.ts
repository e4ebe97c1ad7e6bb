/** A mutation check of three mutants and two tests: the smallest one that can be made vacuous by running no test. */

type Compare = (a: number, b: number) => number;

const mutants: readonly Compare[] = [(a, b) => b - a, () => 0, (a, b) => Math.abs(a - b)];
const tests: readonly ((compare: Compare) => boolean)[] = [
  (compare) => compare(1, 2) < 0,
  (compare) => compare(2, 1) > 0,
];

/** How many mutants there are, how many died, and how many tests were run on them. */
export function runMutants(): { readonly mutants: number; readonly killed: number; readonly testsRun: number } {
  let testsRun = 0;
  let killed = 0;
  for (const mutant of mutants) {
    let alive = true;
    for (const test of tests) {
      testsRun++;
      if (!test(mutant)) alive = false;
    }
    if (!alive) killed++;
  }
  return { mutants: mutants.length, killed, testsRun };
}
