/**
 * What jsfuzz loads: `fuzz(bytes)` throws where the judgement is a failure. It counts judgements where they are made
 * and leaves them in a file when its process ends.
 */
import { writeBytes } from './byte-files.ts';
import { type DecoderTarget, judge } from './decoder-target.ts';
import { FUZZ_ACCOUNT_VARIABLE, FUZZ_TARGET_VARIABLE } from './jsfuzz-variables.ts';

// This target alone: the others' decoders would only have to be instrumented.
const suffix = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const loaded: unknown = await import(`./targets/${process.env[FUZZ_TARGET_VARIABLE] ?? ''}${suffix}`);
const { target } = loaded as { readonly target: DecoderTarget };
const accountFile = process.env[FUZZ_ACCOUNT_VARIABLE];
let accepted = 0;
let refused = 0;
let failed = 0;

function writeAccount(): void {
  if (accountFile === undefined) return;
  writeBytes(accountFile, Buffer.from(JSON.stringify({ pid: process.pid, accepted, refused, failed })));
}

/** Called by jsfuzz for every input. */
export function fuzz(input: Uint8Array): void {
  const judgement = judge(target, input);
  if (judgement.kind === 'accepted') accepted++;
  else if (judgement.kind === 'refused') refused++;
  else {
    failed++;
    throw new Error(`${judgement.class}: ${judgement.message}`);
  }
}

writeAccount();
process.on('exit', writeAccount);
