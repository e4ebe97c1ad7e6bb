import { expect, test } from 'vitest';
import { Interpreter } from '../../spec/executable/interpreter.ts';
import { specificationDriver } from '../../spec/executable/session.ts';
import { Prng } from '../base/prng.ts';
import type { EngineDriver } from '../contract/driver.ts';
import type { Outcome } from '../contract/outcomes.ts';
import { generateProgram } from '../workload/programs.ts';
import { type Objection, runProgram } from '../workload/run-program.ts';
import { BUGGY_DRIVERS, withLie, withRefusals } from './buggy.ts';

const tolerated = (outcome: Outcome): boolean => outcome.kind === 'error' && outcome.code === 'LIGHTNING_DISK_FULL';

async function judge(driver: EngineDriver, seed: number): Promise<Objection | undefined> {
  const program = generateProgram(new Prng(seed), { capabilities: driver.capabilities, operations: 120 });
  const interpreter = new Interpreter({ acknowledges: driver.capabilities.acknowledges });
  const run = await runProgram(driver, `store ${seed}`, program, (operation, outcome) =>
    interpreter.judge(operation, outcome, tolerated),
  );
  return run.objection;
}

test.each(BUGGY_DRIVERS.map((buggy) => ({ buggy, name: buggy.name })))(
  '$name is caught, by a program that passes without the lie',
  async ({ buggy }) => {
    let caughtBy: number | undefined;
    for (let seed = 0; caughtBy === undefined && seed < 60; seed++) {
      const honest = buggy.needs === 'errors' ? withRefusals(specificationDriver()) : specificationDriver();
      if ((await judge(withLie(honest, buggy), seed)) !== undefined) caughtBy = seed;
    }
    expect(caughtBy).toBeDefined();
    const honest = buggy.needs === 'errors' ? withRefusals(specificationDriver()) : specificationDriver();
    expect(await judge(honest, caughtBy ?? 0)).toBeUndefined();
  },
);
