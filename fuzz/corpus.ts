/** The committed starting inputs. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { listNames, readBytes } from '../src/report/files.ts';

/** The folder of the corpus: a folder for each target. */
export const corpusRoot: string = fileURLToPath(new URL('corpus/', import.meta.url));

/** The committed inputs of a target by name, in the order of their names. */
export function readCorpus(target: string): ReadonlyMap<string, Uint8Array> {
  const folder = join(corpusRoot, target);
  const names = listNames(folder).filter((name) => name.endsWith('.bin'));
  return new Map(names.map((name) => [name, readBytes(join(folder, name))]));
}
