/** Scratch files of bytes: inputs handed to processes. */
import { writeFileSync } from 'node:fs';

/** Writes a file as a whole; a file of that name is replaced. */
export function writeBytes(path: string, bytes: Uint8Array): void {
  writeFileSync(path, bytes);
}
