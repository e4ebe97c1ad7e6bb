/**
 * What jsfuzz loads: `fuzz(bytes)` throws where the judgement is a failure. It counts judgements where they are made
 * and leaves them in a file when its process ends.
 */
import { writeBytes } from './byte-files.ts';
import { type DecoderTarget, judge } from './decoder-target.ts';
import { FUZZ_ACCOUNT_VARIABLE, FUZZ_SEED_VARIABLE, FUZZ_TARGET_VARIABLE } from './jsfuzz-variables.ts';
import { neighbours } from './mutate.ts';

// This target alone: the others' decoders would only have to be instrumented.
const suffix = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const loaded: unknown = await import(`./targets/${process.env[FUZZ_TARGET_VARIABLE] ?? ''}${suffix}`);
const { target } = loaded as { readonly target: DecoderTarget };
const accountFile = process.env[FUZZ_ACCOUNT_VARIABLE];
const seed = Number(process.env[FUZZ_SEED_VARIABLE] ?? '0');
let accepted = 0;
let refused = 0;
let failed = 0;

function writeAccount(failing?: Uint8Array): void {
  if (accountFile === undefined) return;
  const base64 = failing === undefined ? undefined : Buffer.from(failing).toString('base64');
  const account = { pid: process.pid, accepted, refused, failed, failing: base64 };
  writeBytes(accountFile, Buffer.from(JSON.stringify(account)));
}

function judgeOne(input: Uint8Array): void {
  const judgement = judge(target, input);
  if (judgement.kind === 'accepted') accepted++;
  else if (judgement.kind === 'refused') refused++;
  else {
    failed++;
    writeAccount(input);
    throw new Error(`${judgement.class}: ${judgement.message}`);
  }
}

/** Called by jsfuzz for every input; judges its neighbours too. */
export function fuzz(input: Uint8Array): void {
  judgeOne(input);
  for (const neighbour of neighbours(input, seed)) judgeOne(neighbour);
}

writeAccount();
process.on('exit', () => {
  if (failed === 0) writeAccount();
});
