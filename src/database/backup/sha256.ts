/** SHA-256: increments tell chunks apart by it alone, which a checksum of 32 bits could not bear. */
import { hash } from 'node:crypto';

/** The 32 bytes of the digest. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', bytes, 'buffer'));
}
