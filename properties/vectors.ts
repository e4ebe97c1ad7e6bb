/** The kept conformance vectors. */
import { fileURLToPath } from 'node:url';
import { listNames, readText } from '../src/report/files.ts';
import { parseVectors, type Vector } from '../src/workload/vectors.ts';

const FOLDER = fileURLToPath(new URL('../spec/vectors', import.meta.url));

/** Their files, by name. */
export const VECTOR_FILES: readonly string[] = listNames(FOLDER).filter((name) => name.endsWith('.ndjson'));

/** @throws LightningError `LIGHTNING_UNSUPPORTED_FORMAT` */
export function readVectors(file: string): readonly Vector[] {
  return parseVectors(readText(`${FOLDER}/${file}`));
}
