/**
 * Fails a test run that has fewer tests than the committed inventory demands, or a skip that nobody listed. The count is
 * held only for whole runs; skips always, unless tests were picked by title.
 */
import type { Reporter, TestCase, TestModule, Vitest } from 'vitest/node';
import { LightningError } from '../src/base/errors.ts';
import { readText } from '../src/report/files.ts';
import { judgeInventory, testInventorySchema } from '../src/report/test-inventory.ts';

/** The reporter that vitest.config.ts adds. */
export default class InventoryReporter implements Reporter {
  private vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const { vitest } = this;
    if (vitest === undefined) throw new LightningError('LIGHTNING_HARNESS', 'the inventory was asked before the run');
    if (vitest.config.testNamePattern !== undefined || vitest.config.watch) return;
    const tests: TestCase[] = modules.flatMap((module) => [...module.children.allTests()]);
    const skipped = tests.filter((test) => test.result().state === 'skipped').map((test) => test.fullName);
    // Not in the public types; without it every run counts as whole, which errs on the strict side.
    const whole = Reflect.get(vitest, 'filenamePattern') === undefined;
    const committed = testInventorySchema.parse(
      JSON.parse(readText(new URL('test-inventory.json', import.meta.url).pathname)),
    );
    const problems = judgeInventory(committed, { run: whole ? tests.length - skipped.length : undefined, skipped });
    if (problems.length === 0) return;
    process.stderr.write(`${problems.map((problem) => `test inventory: ${problem}`).join('\n')}\n`);
    process.exitCode = 1;
  }
}
