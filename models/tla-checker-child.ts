/**
 * The process in which tla-checker runs: model and configuration as JSON on standard input, the checker's own JSON on
 * standard output. WebAssembly cannot be interrupted, so whoever started this kills it when time is up.
 */
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';
import { check_spec_with_cfg, initSync } from 'tla-checker';
import { readBytes } from '../src/report/files.ts';

/** Far above any bound of ours; reaching one of them is an error, never a pass. */
const STATES_MAX = 50_000_000;
const DEPTH_MAX = 1_000_000;

const input: unknown = JSON.parse(await text(process.stdin));
if (typeof input !== 'object' || input === null || !('model' in input) || !('configuration' in input)) {
  process.exit(2);
}
const packageFile = createRequire(import.meta.url).resolve('tla-checker');
initSync({ module: new Uint8Array(readBytes(packageFile.replace(/\.js$/, '_bg.wasm'))) });
// Terminal states are legal: behaviours are bounded by guards.
const allowDeadlock = true;
process.stdout.write(
  check_spec_with_cfg(
    String(input.model),
    String(input.configuration),
    '{}',
    STATES_MAX,
    DEPTH_MAX,
    allowDeadlock,
    false,
  ),
);
