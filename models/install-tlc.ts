/**
 * Fetches TLC into the cache folder. Nothing is written under the jar's name before its SHA-256 was found right, and what
 * is there already is left alone; it is never run from here.
 */
import { createHash } from 'node:crypto';
import { LightningError } from '../src/base/errors.ts';
import { fileExists, readBytes, writeWhole } from '../src/report/files.ts';
import { JAR_SHA256, tlcJarPath } from './tlc-runner.ts';

/** The release page's own address of the jar. */
const JAR_URL = 'https://github.com/tlaplus/tlaplus/releases/download/v1.7.4/tla2tools.jar';
/** The jar has 2.3 MB; whoever sends more sends something else. */
const JAR_BYTES_MAX = 16 * 1024 * 1024;
const TIME_LIMIT_MILLISECONDS = 120_000;

/**
 * Makes sure that the jar is in the cache folder.
 * @param url where from; a mirror's address instead of the release page's
 * @returns the path of the jar and its size
 * @throws LightningError `LIGHTNING_IO` when it cannot be fetched, `LIGHTNING_CORRUPTION` when it is another file; the
 *   cache folder is as it was
 */
export async function installTlc(
  url: string = JAR_URL,
  environment: NodeJS.ProcessEnv = process.env,
  expected: string = JAR_SHA256,
): Promise<{ readonly jar: string; readonly bytes: number }> {
  const jar = tlcJarPath(environment);
  if (fileExists(jar) && sha256(readBytes(jar)) === expected) return { jar, bytes: readBytes(jar).length };
  const bytes = await fetched(url);
  const actual = sha256(bytes);
  if (actual !== expected) {
    throw new LightningError('LIGHTNING_CORRUPTION', `what ${url} sends is not tla2tools.jar v1.7.4`, {
      actual,
      expected,
    });
  }
  writeWhole(jar, bytes);
  return { jar, bytes: bytes.length };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function fetched(url: string): Promise<Uint8Array> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIME_LIMIT_MILLISECONDS) });
    if (!response.ok || response.body === null) throw new Error(`the answer is ${response.status}`);
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of response.body) {
      length += part.length;
      if (length > JAR_BYTES_MAX) throw new Error(`it sends more than ${JAR_BYTES_MAX} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  } catch (cause) {
    throw new LightningError('LIGHTNING_IO', `${url} cannot be fetched: ${String(cause)}`, {}, cause);
  }
}
