/**
 * Frames of the protocol: one line of JSON each (spec/protocol.md). A line is bounded before it is kept, so that an
 * endless one costs no more memory than the longest that is allowed.
 */
import { LightningError } from '../../base/errors.ts';
import { VALUE_BYTES_MAX } from '../../engine/limits.ts';

/** The version that both sides must name in `hello`. */
export const PROTOCOL_VERSION = 1;
/** Longest line in bytes, its line break left out: a value of 16 MiB in base64, and what stands around it. */
export const FRAME_BYTES_MAX = 32 * 1024 * 1024;
/** Raw bytes of keys and values after which the answer to a scan is cut and says `more`. */
export const SCAN_BYTES_MAX = 8 * 1024 * 1024;
/** Requests of one client that may be under way; past it the server reads no more until one ends. */
export const PENDING_REQUESTS_MAX = 1024;
/** Snapshots and transactions together that one client may hold open. */
export const OPEN_VIEWS_MAX = 1024;
/** Clients of one server. */
export const CLIENTS_MAX = 1024;

const LINE_FEED = 0x0a;

/** Cuts a stream of bytes into lines. Lines without text are left out. */
export class LineSplitter {
  private pieces: Buffer[] = [];
  private sizeBytes = 0;
  private readonly bytesMax: number;

  constructor(bytesMax: number = FRAME_BYTES_MAX) {
    this.bytesMax = bytesMax;
  }

  /**
   * Takes the next bytes; gives the lines that they complete.
   * @throws LightningError `LIGHTNING_LIMIT` once a line is longer than allowed; nothing can be read afterwards
   */
  *push(chunk: Buffer): Generator<string, undefined> {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      const piece = chunk.subarray(start, end === -1 ? chunk.length : end);
      this.sizeBytes += piece.length;
      if (this.sizeBytes > this.bytesMax) {
        this.pieces = [];
        throw new LightningError('LIGHTNING_LIMIT', `a frame is at most ${this.bytesMax} bytes`, {
          bytesMax: this.bytesMax,
        });
      }
      this.pieces.push(piece);
      if (end === -1) return undefined;
      const line = Buffer.concat(this.pieces).toString('utf8').trim();
      this.pieces = [];
      this.sizeBytes = 0;
      start = end + 1;
      if (line !== '') yield line;
    }
  }
}

/** A value as one frame. */
export function frameOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** Bytes as the protocol writes them. */
export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/**
 * Bytes out of text, in the canonical form only: anything else would let two texts be one key.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT`
 */
export function fromBase64(text: unknown, name: string): Uint8Array {
  if (typeof text === 'string') {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.toString('base64') === text) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${name} is not base64`, { name });
}

/**
 * The value, if it may stand in a frame: what a client writes is what a client can read again.
 * @throws LightningError `LIGHTNING_VALUE_TOO_LARGE`
 */
export function fitting(value: Uint8Array): Uint8Array {
  if (value.length <= VALUE_BYTES_MAX) return value;
  const text = `a value of ${value.length} bytes is more than a frame may hold`;
  throw new LightningError('LIGHTNING_VALUE_TOO_LARGE', text, { length: value.length, limit: VALUE_BYTES_MAX });
}
