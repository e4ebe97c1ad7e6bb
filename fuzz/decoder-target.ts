/**
 * What a fuzz target is: bytes in, a judgement out. A decoder of hostile bytes must answer with a value, never with an
 * exception, in memory and time bounded by its input; and what it accepts must agree with a second, naive reading.
 */
import { getHeapStatistics } from 'node:v8';
import { monotonicMilliseconds } from '../src/base/clock.ts';
import { isLightningError } from '../src/base/errors.ts';

/** What can be wrong with a decoder; the names are failure classes. */
export type DecoderFailureClass = 'decoder-exception' | 'decoder-accepts' | 'hang';

/** The outcome of one input. `refused` and `accepted` are both right. */
export type Judgement =
  | { readonly kind: 'refused'; readonly problem: string }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'failed'; readonly class: DecoderFailureClass; readonly message: string };

/** A decoder under fuzzing. */
export interface DecoderTarget {
  /** Also the name of its folder below fuzz/corpus and of its file below fuzz/targets. */
  readonly name: string;
  /** Bytes that may be held beyond a multiple of the input: what the format itself allows to unpack. */
  readonly extraBytesMax: number;
  /** Small valid inputs by name, for the committed corpus. */
  samples(): ReadonlyMap<string, Uint8Array>;
  /**
   * Repairs magic and checksums, decodes, and compares. Throws `Disagreement` for an accepted input that is wrong;
   * whatever else it throws came out of the decoder.
   */
  check(input: Uint8Array): Judgement;
}

/** Memory that any decoder may take for an input of no size at all, in bytes. */
const BASE_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes of buffers per byte of input. */
const BYTES_PER_INPUT_BYTE_MAX = 256;
/** An input has at most a few kilobytes; a decoder that takes this long over one does not end in any useful time. */
const DECODE_MILLISECONDS_MAX = 2_000;

/** What was accepted is not what the bytes say. */
export class Disagreement extends Error {
  override readonly name = 'Disagreement';
}

/** States what must hold of an accepted input. */
export function agree(condition: boolean, statement: string, found?: unknown, wanted?: unknown): asserts condition {
  if (condition) return;
  const values =
    found === undefined ? '' : ` (${String(found)}${wanted === undefined ? '' : `, not ${String(wanted)}`})`;
  throw new Disagreement(`${statement}${values}`);
}

/** Judges one input: {@link DecoderTarget.check} with its exceptions, memory and time. */
export function judge(target: DecoderTarget, input: Uint8Array): Judgement {
  const start = monotonicMilliseconds();
  const before = getHeapStatistics().external_memory;
  let judgement: Judgement;
  try {
    judgement = target.check(input);
  } catch (error) {
    judgement = judgeThrown(error);
  }
  const bytes = getHeapStatistics().external_memory - before;
  const milliseconds = monotonicMilliseconds() - start;
  if (judgement.kind === 'failed') return judgement;
  if (bytes > BASE_BYTES_MAX + target.extraBytesMax + input.length * BYTES_PER_INPUT_BYTE_MAX) {
    const message = `${input.length} bytes of input made the decoder hold ${bytes} bytes`;
    return { kind: 'failed', class: 'decoder-exception', message };
  }
  if (milliseconds > DECODE_MILLISECONDS_MAX) {
    const message = `${input.length} bytes of input took ${milliseconds.toFixed(0)} ms`;
    return { kind: 'failed', class: 'hang', message };
  }
  return judgement;
}

function judgeThrown(error: unknown): Judgement {
  if (error instanceof Disagreement) return { kind: 'failed', class: 'decoder-accepts', message: error.message };
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const code = isLightningError(error) ? `${error.code}, ` : '';
  return { kind: 'failed', class: 'decoder-exception', message: `the decoder threw ${code}${text}` };
}
