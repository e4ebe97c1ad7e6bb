/**
 * One description of a layout for both directions: a function that passes each value of a structure through {@link Fields},
 * in the order of its bytes, and makes the structure of what comes back. A writer writes what it is given and returns it; a
 * reader returns what the bytes say and never looks at what it is given, so that a blank structure will do.
 *
 * Little-endian. A reader does not trust its bytes: behind their end it yields zeros and has `failed`, and it makes no list
 * longer than they are.
 */
import { assert } from './assert.ts';
import { ByteReader, ByteWriter } from './bytes.ts';

/** See the file's header. Only a reader is ever given `undefined`. */
export interface Fields {
  /** One byte, 0 or 1. */
  flag(value: boolean | undefined): boolean;
  uint8<T extends number>(value: T | undefined): T;
  uint32<T extends number>(value: T | undefined): T;
  uint48<T extends number>(value: T | undefined): T;
  float64(value: number | undefined): number;
  /** As many bytes as are given, whatever the direction. */
  bytes(value: Uint8Array): Uint8Array;
  /** How many there are, as 32 bits, then one after the other. */
  list<T>(items: readonly T[] | undefined, element: (item: Partial<T>) => T): T[];
}

/** Appends the bytes of what it is given. */
export class FieldWriter implements Fields {
  readonly bytesWritten = new ByteWriter();

  flag(value: boolean | undefined): boolean {
    return this.uint8(value === undefined ? undefined : Number(value)) === 1;
  }

  uint8<T extends number>(value: T | undefined): T {
    assert(value !== undefined, 'a writer is given every value');
    this.bytesWritten.uint8(value);
    return value;
  }

  uint32<T extends number>(value: T | undefined): T {
    assert(value !== undefined, 'a writer is given every value');
    this.bytesWritten.uint32(value);
    return value;
  }

  uint48<T extends number>(value: T | undefined): T {
    assert(value !== undefined, 'a writer is given every value');
    this.bytesWritten.uint48(value);
    return value;
  }

  float64(value: number | undefined): number {
    assert(value !== undefined, 'a writer is given every value');
    this.bytesWritten.float64(value);
    return value;
  }

  bytes(value: Uint8Array): Uint8Array {
    this.bytesWritten.append(value);
    return value;
  }

  list<T>(items: readonly T[] | undefined, element: (item: Partial<T>) => T): T[] {
    assert(items !== undefined, 'a writer is given every value');
    this.uint32(items.length);
    return items.map((item) => element(item));
  }
}

/** Makes values of bytes. The caller asks {@link FieldReader.isWhole} in the end. */
export class FieldReader implements Fields {
  private readonly reader: ByteReader;
  private isForeign = false;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.reader = new ByteReader(bytes, start, end);
  }

  /** Whether the bytes held every field, and nothing else. */
  get isWhole(): boolean {
    return !this.reader.failed && !this.isForeign && this.reader.remaining === 0;
  }

  flag(): boolean {
    const value = this.reader.uint8();
    if (value > 1) this.isForeign = true;
    return value === 1;
  }

  uint8<T extends number>(): T {
    return this.reader.uint8() as T;
  }

  uint32<T extends number>(): T {
    return this.reader.uint32() as T;
  }

  uint48<T extends number>(): T {
    return this.reader.uint48() as T;
  }

  float64(): number {
    return this.reader.float64();
  }

  bytes({ length }: Uint8Array): Uint8Array {
    const found = this.reader.byteString(length);
    return this.reader.failed ? new Uint8Array(length) : found;
  }

  list<T>(_items: readonly T[] | undefined, element: (item: Partial<T>) => T): T[] {
    const found: T[] = [];
    for (let left = this.uint32(); left > 0 && !this.reader.failed; left--) found.push(element({}));
    return found;
  }
}
