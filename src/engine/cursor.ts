/**
 * A position in one sorted source of versions: memtable, sorted run, tree, or a merge of them.
 *
 * Internal order: key ascending (unsigned bytes), then sequence *descending*, so that the newest version of a key comes
 * first and "the version visible at s" is the first one at or after (key, s).
 *
 * Fields describe the current version and are only meaningful while `valid`. They point into bytes that belong to the
 * source: read-only. The fields change when the cursor moves; the bytes that they pointed to never do, as long as somebody
 * refers to them.
 */
import { compareSlices, copySlice } from '../base/bytes.ts';
import type { Stored } from '../vfs/references.ts';
import { type Kind, KIND_DELETE, KIND_REFERENCE, NO_DEADLINE, type Sequence, SEQUENCE_MAX } from './types.ts';

const NOTHING = new Uint8Array(0);

/** One version: where its key and value stand, and what it is. */
export class Version {
  valid = false;
  /** Who is asked for a value that lies outside, when it is wanted. */
  outside: { valueOf(stored: Stored): Uint8Array } | undefined;
  /** Holds key and value of the current version. */
  bytes: Uint8Array = NOTHING;
  keyStart = 0;
  /** Where the key ends and the value begins. */
  keyEnd = 0;
  valueEnd = 0;
  sequence = 0 as Sequence;
  kind: Kind = KIND_DELETE;
  /** Milliseconds since 1970, or {@link NO_DEADLINE}. */
  deadline: number = NO_DEADLINE;

  /** A copy of the key; the caller owns it. */
  key(): Uint8Array {
    return copySlice(this.bytes, this.keyStart, this.keyEnd);
  }

  /** A copy of the value, or, where nobody was given to ask, of where it lies; the caller owns it. */
  value(): Uint8Array {
    return this.outside?.valueOf(this.stored()) ?? copySlice(this.bytes, this.keyEnd, this.valueEnd);
  }

  /** The value, or where it lies; a copy. */
  stored(): Stored {
    return { bytes: copySlice(this.bytes, this.keyEnd, this.valueEnd), isReference: this.kind === KIND_REFERENCE };
  }

  /** Compares the key with `key`. */
  compareKey(key: Uint8Array): number {
    return compareSlices(this.bytes, this.keyStart, this.keyEnd, key, 0, key.length);
  }

  /** Becomes a second reference to another version's bytes. */
  assign({ bytes, keyStart, keyEnd, valueEnd, sequence, kind, deadline }: Version): void {
    this.set(bytes, keyStart, keyEnd, valueEnd, sequence, kind, deadline);
  }

  /** Becomes the version whose key and value stand there, one behind the other. */
  set(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueEnd: number,
    sequence: Sequence,
    kind: Kind,
    deadline: number,
  ): void {
    this.bytes = bytes;
    this.keyStart = keyStart;
    this.keyEnd = keyEnd;
    this.valueEnd = valueEnd;
    this.sequence = sequence;
    this.kind = kind;
    this.deadline = deadline;
    this.valid = true;
  }
}

export abstract class Cursor extends Version {
  /** Goes to the first version in internal order at or after (key, sequence). */
  abstract seek(key: Uint8Array, sequence: Sequence): void;
  /** Goes to the last version in internal order strictly before (key, sequence); without a key, to the last of all. */
  abstract seekBefore(key: Uint8Array | undefined, sequence: Sequence): void;
  /** One step on in internal order. Only while valid. */
  abstract next(): void;
  /** One step back in internal order. Only while valid. */
  abstract previous(): void;

  first(): void {
    this.seek(NOTHING, SEQUENCE_MAX);
  }

  last(): void {
    this.seekBefore(undefined, SEQUENCE_MAX);
  }
}

/** Internal order of two (key, sequence) pairs. */
export function compareInternal(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  aSequence: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
  bSequence: number,
): number {
  const byKey = compareSlices(a, aStart, aEnd, b, bStart, bEnd);
  return byKey !== 0 ? byKey : bSequence - aSequence;
}

/** Order of the keys of two versions. */
export function compareKeys(a: Version, b: Version): number {
  return compareSlices(a.bytes, a.keyStart, a.keyEnd, b.bytes, b.keyStart, b.keyEnd);
}

/** Internal order of two versions. */
export function compareVersions(a: Version, b: Version): number {
  const byKey = compareKeys(a, b);
  return byKey !== 0 ? byKey : b.sequence - a.sequence;
}
