/** The matrix of single faults as a check of the stage: every cell struck, every run right, every hole named. */
import { Prng } from '../src/base/prng.ts';
import type { StageContext } from '../src/report/stage.ts';
import type { FoundFailure } from './crash-explorer.ts';
import { FAULT_CELLS } from './fault-cells.ts';
import { allAims, strike, thinned } from './fault-matrix.ts';

const HASHED_AIMS = 12;
const CHECK = 'single faults in every phase';

/** About how many aims of a cell are tried, by what there is to spend. Measured: all of them take 21 s of CPU. */
function aimsPerCell(budgetSeconds: number): number {
  if (budgetSeconds >= 120) return Infinity;
  return budgetSeconds >= 40 ? 3 : 1;
}

/** Strikes each cell; returns the first failure. */
export function checkFaultMatrix(context: StageContext, seed: number): FoundFailure | undefined {
  const random = new Prng(seed);
  // In any order but that of the program: what tells of one bug stands close together there.
  const aims = random.shuffle(thinned(allAims(), aimsPerCell(context.budgetSeconds), random));
  const chosen = context.hashOnly ? aims.filter((_, i) => i % Math.ceil(aims.length / HASHED_AIMS) === 0) : aims;
  const reached = new Set<string>();
  let noticed = 0;
  let inTheMiddle = 0;
  for (const [n, aim] of chosen.entries()) {
    const struck = strike(aim, random);
    const cell = `fault ${aim.name} in ${struck.phase}`;
    if (context.hashOnly) context.hash(`${cell} ${struck.noticed} ${struck.failure?.class ?? ''}`);
    if (struck.failure !== undefined) return struck.failure;
    if (struck.phase === undefined) continue;
    reached.add(cell);
    context.count(cell);
    if (struck.inTheMiddle) {
      context.count(`${cell}, in the middle`);
      inTheMiddle++;
    }
    if (struck.noticed) {
      context.count(`${cell}, noticed`);
      noticed++;
    }
    context.progress('single faults', n, chosen.length);
  }
  context.count('single faults', chosen.length);
  context.count('single faults in the middle of a call', inTheMiddle);
  context.count('single faults noticed', noticed);
  context.count('fault cells', reached.size);
  const holes = FAULT_CELLS.map(({ fault, phase }) => `fault ${fault} in ${phase}`).filter(
    (cell) => !reached.has(cell),
  );
  if (context.hashOnly) return undefined;
  if (holes.length > 0) {
    context.check(CHECK, 'vacuous', `never struck: ${holes.slice(0, 10).join('; ')}, ${holes.length} in all`);
    return undefined;
  }
  context.check(
    CHECK,
    'pass',
    `${chosen.length} runs with one fault each, ${reached.size} cells of fault and phase; ${inTheMiddle} struck in the middle of a call, ${noticed} were noticed`,
  );
  return undefined;
}
