/**
 * The process in which tla-checker runs: a list of models and configurations as JSON on standard input, for each the checker's
 * own JSON as a line on standard output, in their order. One alone may come without a list. WebAssembly cannot be interrupted, so whoever started this kills it when time is up.
 */
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { check_spec_with_cfg, initSync } from 'tla-checker';
import { readBytes } from '../src/report/files.ts';

/** Far above any bound of ours; reaching one of them is an error, never a pass. */
const STATES_MAX = 50_000_000;
const DEPTH_MAX = 1_000_000;

const input: unknown = JSON.parse(await text(process.stdin));
const requests: readonly unknown[] = Array.isArray(input) ? input : [input];
const packageFile = createRequire(import.meta.url).resolve('tla-checker');
initSync({ module: new Uint8Array(readBytes(packageFile.replace(/\.js$/, '_bg.wasm'))) });
// Terminal states are legal: behaviours are bounded by guards.
const allowDeadlock = true;
for (const request of requests) {
  if (typeof request !== 'object' || request === null || !('model' in request) || !('configuration' in request)) {
    process.exit(2);
  }
  const model = String(request.model);
  const configuration = String(request.configuration);
  const answer = check_spec_with_cfg(model, configuration, '{}', STATES_MAX, DEPTH_MAX, allowDeadlock, false);
  process.stdout.write(`${JSON.stringify(JSON.parse(answer))}\n`);
}
