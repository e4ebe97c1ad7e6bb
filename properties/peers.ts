/** What the peers stage does with one driver: run generated programs against the executable specification, shrink what fails. */
import { join } from 'node:path';
import { Prng } from '../src/base/prng.ts';
import type { EngineDriver } from '../src/contract/driver.ts';
import type { Program } from '../src/contract/operations.ts';
import type { Outcome } from '../src/contract/outcomes.ts';
import { makeDirectory, removeTree } from '../src/report/files.ts';
import type { GeneratorCoverage } from '../src/workload/coverage.ts';
import { generateProgram } from '../src/workload/programs.ts';
import { type ProgramRun, runProgram } from '../src/workload/run-program.ts';
import { shrinkProgram, type ShrinkResult } from '../src/workload/shrink.ts';
import { Interpreter } from '../spec/executable/interpreter.ts';

const OPERATIONS_PER_PROGRAM_MAX = 160;
/** Share of the programs that run with an fsync for each commit. */
const SYNCED_SHARE = 0.03;
const SHRINK_RUNS_MAX = 2_000;

/** Errors that the engine under test is made to give on purpose. */
export type Tolerated = (outcome: Outcome) => boolean;

/** Where stores are made; each run gets a directory of its own, removed afterwards. */
export class Workbench {
  private readonly directory: string;
  private next = 0;

  constructor(directory: string) {
    this.directory = directory;
    makeDirectory(directory);
  }

  /** Runs a program on a driver in a fresh directory and holds every outcome against the specification. */
  async judge(
    driver: EngineDriver,
    program: Program,
    tolerated?: Tolerated,
    coverage?: GeneratorCoverage,
  ): Promise<ProgramRun> {
    const directory = join(this.directory, `store-${this.next++}`);
    makeDirectory(directory);
    const { acknowledges, keyBytesMax, valueBytesMax, transactionSnapshotAt } = driver.capabilities;
    const interpreter = new Interpreter({ acknowledges, keyBytesMax, valueBytesMax, transactionSnapshotAt });
    coverage?.begin();
    try {
      return await runProgram(driver, directory, program, (operation, outcome) => {
        coverage?.note(operation, outcome);
        return interpreter.judge(operation, outcome, tolerated);
      });
    } finally {
      removeTree(directory);
    }
  }

  /** Shrinks a program that was objected to, keeping the class of the objection. */
  shrink(
    driver: EngineDriver,
    program: Program,
    failureClass: string,
    outOfTime: () => boolean,
    tolerated?: Tolerated,
  ): Promise<ShrinkResult> {
    const stillFails = async (candidate: Program): Promise<boolean> =>
      (await this.judge(driver, candidate, tolerated)).objection?.class === failureClass;
    return shrinkProgram(program, stillFails, { runsMax: SHRINK_RUNS_MAX, outOfTime });
  }
}

/** The program of a seed for a driver. Most need no fsync: nothing here cuts the power, and fsyncs are what takes long. */
export function programFor(driver: EngineDriver, prng: Prng): Program {
  const operations = prng.between(20, OPERATIONS_PER_PROGRAM_MAX);
  const synced = prng.chance(SYNCED_SHARE);
  const capabilities = synced ? driver.capabilities : { ...driver.capabilities, sync: false, syncWrites: false };
  return generateProgram(prng, { capabilities, operations, options: { durability: synced ? 'commit' : 'none' } });
}

/** A seed of its own for each engine, so that one engine's programs do not depend on how far another came. */
export function streamFor(seed: number, name: string): Prng {
  let mixed = seed % 2 ** 32;
  for (const character of name) mixed = (Math.imul(mixed, 31) + character.charCodeAt(0)) >>> 0;
  return new Prng(mixed * 2 ** 20 + (seed % 2 ** 20));
}
