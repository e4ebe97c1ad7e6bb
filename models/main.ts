/**
 * One configuration by hand, its counterexample readable:
 * `node models/main.ts [--model MVCC] [--config models/broken/MVCC.NoBound.cfg] [--checker tla-checker|tlc]`
 * Exit codes: 0 no error · 1 a counterexample · 2 unusable options · 3 the checker could not read the model · 4 unknown.
 */
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeTrace } from './check-outcome.ts';
import { modelsDirectory } from './configurations.ts';
import { runTlaChecker } from './tla-checker-runner.ts';
import { findTlc, runTlc } from './tlc-runner.ts';

const TIME_LIMIT_SECONDS = 24 * 3600;

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'MVCC' },
    config: { type: 'string' },
    checker: { type: 'string', default: 'tla-checker' },
  },
});
if (values.checker !== 'tla-checker' && values.checker !== 'tlc') {
  process.stderr.write('--checker takes tla-checker or tlc\n');
  process.exit(2);
}
const request = {
  modelPath: join(modelsDirectory, `${values.model}.tla`),
  configurationPath: resolve(values.config ?? join(modelsDirectory, `${values.model}.smoke.cfg`)),
  timeLimitSeconds: TIME_LIMIT_SECONDS,
  workDirectory: join(tmpdir(), `lightning-db-models-${process.pid}`),
};
const outcome = values.checker === 'tlc' ? await runTlc(request, await findTlc()) : await runTlaChecker(request);
switch (outcome.verdict) {
  case 'pass':
    process.stdout.write(`no error in ${outcome.distinctStates} distinct states\n`);
    break;
  case 'violated':
    process.stdout.write(`${outcome.invariant} is violated after ${outcome.trace.length - 1} steps\n`);
    process.stdout.write(`${describeTrace(outcome.trace).join('\n')}\n`);
    process.exitCode = 1;
    break;
  case 'broken':
    process.stderr.write(`${outcome.reason}\n`);
    process.exitCode = 3;
    break;
  case 'unknown':
    process.stderr.write(`unknown: ${outcome.reason}\n`);
    process.exitCode = 4;
    break;
}
