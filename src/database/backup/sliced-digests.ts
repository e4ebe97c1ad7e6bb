/**
 * SHA-256 of bytes that are copied in slices, beside the work: of a hundred megabytes it is the half of all that a backup
 * computes, and a machine has more than one core. The event loop has to turn between slices.
 */
import { webcrypto } from 'node:crypto';
import { LightningError } from '../../base/errors.ts';

/** Digests under way at once; the bytes of each are held until it is there. */
const UNDER_WAY_MAX = 64;

/** Digests, each written where it belongs once it is there. */
export class SlicedDigests {
  private underWay = 0;
  private failure: LightningError | undefined;

  /** Whether others should be waited for before the next one begins. */
  get isFull(): boolean {
    return this.underWay >= UNDER_WAY_MAX;
  }

  /** @param bytes copied before this returns @param target 32 bytes that get the digest later */
  begin(bytes: Uint8Array<ArrayBuffer>, target: Uint8Array): void {
    this.underWay++;
    webcrypto.subtle.digest('SHA-256', bytes).then(
      (digest) => {
        this.underWay--;
        target.set(new Uint8Array(digest));
      },
      (error: unknown) => {
        this.underWay--;
        this.failure ??= new LightningError('LIGHTNING_IO', 'a digest could not be made', {}, error);
      },
    );
  }

  /** Yields 0 until there is room for more. */
  *room(): Generator<number, void> {
    while (this.isFull) yield 0;
  }

  /** Yields 0 until every target has its digest. @throws LightningError `LIGHTNING_IO` when one could not be made */
  *finish(): Generator<number, void> {
    while (this.underWay > 0) yield 0;
    if (this.failure !== undefined) throw this.failure;
  }
}
