/**
 * Large values piece by piece: what is written need never be in memory whole, and what is read neither. A value that
 * stays below the bound of its store is written and read like any other.
 */
import { LightningError } from '../../base/errors.ts';
import type { Stored } from '../../vfs/references.ts';
import { BLOB_SLICE_BYTES } from './blob-format.ts';
import { type BlobFiles, checkBlobLength } from './blob-files.ts';
import { piecesOf } from './blob-reader.ts';
import type { BlobWriter } from './blob-writer.ts';

/** Where the pieces of a value come from. */
export type ValueSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** How a stream is written. */
export interface StreamOptions {
  /** Bytes that the source has to give, neither more nor fewer. Default: whatever it gives. */
  readonly length?: number;
}

/**
 * A value being read. It is the value of the moment in which it was asked for, whatever is written or deleted meanwhile.
 * Its end, `close` and leaving a `for await` loop let go of the file.
 */
export class ValueStream implements AsyncIterable<Uint8Array>, AsyncDisposable {
  /** Bytes of the whole value. */
  readonly length: number;
  private readonly pieces: Generator<Uint8Array, undefined>;
  private readonly release: () => void;

  /** @param release closes what is open; it may be called more than once */
  constructor(length: number, pieces: Generator<Uint8Array, undefined>, release: () => void) {
    this.length = length;
    this.pieces = pieces;
    this.release = release;
  }

  /**
   * The pieces in their order, at most 1 MiB each; whoever takes them owns them. Each is checked before it is given.
   * @throws (rejects) LightningError `LIGHTNING_CORRUPTION` naming file and offset, environment errors
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, undefined> {
    try {
      for (const piece of this.pieces) {
        yield piece;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    } finally {
      this.close();
    }
    return undefined;
  }

  /** Ends it early. Calling it again does nothing. */
  close(): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}

/**
 * What was found, as a stream; a large value's file is opened now.
 * @param watch told of the stream and of what lets go of its file, in case that it is dropped half read; gives what ends that
 * @throws LightningError `LIGHTNING_CORRUPTION`, environment errors
 */
export function streamOf(
  { bytes, isReference }: Stored,
  blobs: BlobFiles,
  watch?: (stream: ValueStream, release: () => void) => () => void,
): ValueStream {
  if (!isReference) return new ValueStream(bytes.length, piecesOfValue(bytes), () => undefined);
  const reader = blobs.open(bytes);
  const letGo = (): void => reader.close();
  const stream = new ValueStream(reader.length, piecesOf(reader), () => {
    unwatch?.();
    letGo();
  });
  const unwatch = watch?.(stream, letGo);
  return stream;
}

function* piecesOfValue(value: Uint8Array): Generator<Uint8Array, undefined> {
  for (let at = 0; at < value.length; at += BLOB_SLICE_BYTES) yield value.subarray(at, at + BLOB_SLICE_BYTES);
  return undefined;
}

/** What of a source has come so far. */
export class IncomingValue {
  private readonly pieces: Uint8Array[] = [];
  private readonly wantedBytes: number | undefined;
  private readonly inlineBytes: number;
  private readonly create: () => BlobWriter;
  private writer: BlobWriter | undefined;
  private sizeBytes = 0;

  /**
   * @param inlineBytes up to so many bytes are kept in memory and become no file
   * @param create makes the file once there are more
   */
  constructor({ length }: StreamOptions, inlineBytes: number, create: () => BlobWriter) {
    if (length !== undefined && (!Number.isSafeInteger(length) || length < 0))
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a length is a whole number of bytes', { length });
    if (length !== undefined) checkBlobLength(length);
    this.wantedBytes = length;
    this.inlineBytes = inlineBytes;
    this.create = create;
  }

  /**
   * Takes a piece; yields bytes written.
   * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for what is no piece or too much, `LIGHTNING_VALUE_TOO_LARGE`,
   *   environment errors
   */
  *take(piece: unknown): Generator<number, undefined> {
    if (!(piece instanceof Uint8Array))
      throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a stream of a value gives Uint8Arrays');
    this.sizeBytes += piece.length;
    checkBlobLength(this.sizeBytes);
    if (this.wantedBytes !== undefined && this.sizeBytes > this.wantedBytes) throw this.wrongLength('at least');
    if (this.writer === undefined && this.sizeBytes <= this.inlineBytes) {
      this.pieces.push(piece.slice());
      return undefined;
    }
    if (this.writer === undefined) {
      this.writer = this.create();
      for (const held of this.pieces.splice(0)) this.writer.write(held, 0, held.length);
    }
    for (let at = 0; at < piece.length; at += BLOB_SLICE_BYTES) {
      const end = Math.min(piece.length, at + BLOB_SLICE_BYTES);
      this.writer.write(piece, at, end);
      yield end - at;
    }
    return undefined;
  }

  /** The source has ended: the value, or the file that it is in. */
  end(): Uint8Array | BlobWriter {
    if (this.wantedBytes !== undefined && this.sizeBytes !== this.wantedBytes) throw this.wrongLength('only');
    return this.writer ?? Buffer.concat(this.pieces);
  }

  private wrongLength(how: string): LightningError {
    const { sizeBytes, wantedBytes } = this;
    const text = `the stream gave ${how} ${sizeBytes} bytes where ${String(wantedBytes)} were announced`;
    return new LightningError('LIGHTNING_INVALID_ARGUMENT', text, { sizeBytes, length: wantedBytes });
  }
}
