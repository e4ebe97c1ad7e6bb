/** Results on standard output, in large pieces, and what happens when nobody reads them. */
import { errnoOf } from '../base/errors.ts';
import { EXIT } from '../report/verdict.ts';

const PIECE_BYTES = 64 * 1024;

/**
 * Keeps the process alive when the reader of its output leaves (`| head`): that is no error. Any other failure of
 * standard output, a full disk say, is told in one line and makes the exit code 1.
 */
export function watchOutput(): void {
  process.stderr.on('error', () => {
    // Nobody is left to be told.
  });
  process.stdout.on('error', (error) => {
    if (errnoOf(error) === 'EPIPE') return;
    process.stderr.write(`lightning-db: LIGHTNING_IO: standard output failed: ${errnoOf(error) ?? error.message}\n`);
    process.exitCode = EXIT.fail;
  });
}

/** Collects text and writes it piece by piece; a piece is waited for, so that a slow reader holds the writer back. */
export class Output {
  private readonly stream: NodeJS.WritableStream;
  private pieces: (string | Uint8Array)[] = [];
  private sizeBytes = 0;
  private failure: Error | undefined;

  constructor(stream: NodeJS.WritableStream) {
    this.stream = stream;
  }

  /** Nobody reads any more: whoever produces may stop. */
  get isClosed(): boolean {
    return this.failure !== undefined;
  }

  /** Whether output is lost that somebody wanted. */
  get isLost(): boolean {
    return this.failure !== undefined && errnoOf(this.failure) !== 'EPIPE';
  }

  /** Adds bytes, or text without a line break at its end. */
  async line(text: string): Promise<void> {
    await this.write(`${text}\n`);
  }

  async write(content: string | Uint8Array): Promise<void> {
    this.pieces.push(content);
    this.sizeBytes += content.length;
    if (this.sizeBytes >= PIECE_BYTES) await this.flush();
  }

  /** Resolves once the operating system has everything, or nobody wants it. */
  async flush(): Promise<void> {
    if (this.sizeBytes === 0) return;
    const bytes = Buffer.concat(this.pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
    this.pieces = [];
    this.sizeBytes = 0;
    if (this.failure !== undefined) return;
    await new Promise<void>((resolve) => {
      this.stream.write(bytes, (error) => {
        if (error !== null && error !== undefined) this.failure = error;
        resolve();
      });
    });
  }
}
