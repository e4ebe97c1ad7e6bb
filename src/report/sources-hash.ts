/**
 * The content hash of the sources that a stage judges and is made of: evidence names it, and evidence of other sources
 * is refused. Tests are left out (they judge nothing at run time), and so is data that a run itself may extend.
 */
import { createHash } from 'node:crypto';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileExists, listFilesBelow, readBytes, readText } from './files.ts';

/** The folder that holds `src/`: the checkout, or `dist/` of the published package. */
export const sourceRoot: string = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

/** The extension of the form that runs: `.ts` in a checkout, `.js` in the published package. */
export const sourceExtension: '.ts' | '.js' = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

const COMMON_FOLDERS: readonly string[] = ['src', 'spec/executable'];
const JUDGED = /\.(ts|js|tla|cfg)$/;
const NOT_JUDGED = /(\.test\.[tj]s$)|(^|\/)(corpus|node_modules|seeds)\//;

/** A hash and how many files went into it. */
export interface SourcesHash {
  readonly hash: string;
  readonly files: number;
}

/**
 * Hashes names and bytes of `src/`, `spec/executable/` and the stage's own folder.
 * @param stageFile path of the stage program, absolute or relative to the root
 * @param root the folder that holds `src/`
 */
export function hashSources(stageFile: string, root: string = sourceRoot): SourcesHash {
  const stageFolder = relative(root, dirname(join(root, relative(root, stageFile))));
  const folders = new Set(COMMON_FOLDERS);
  if (!stageFolder.startsWith('..') && !COMMON_FOLDERS.some((folder) => `${stageFolder}/`.startsWith(`${folder}/`))) {
    folders.add(stageFolder);
  }
  const hash = createHash('sha256');
  let files = 0;
  for (const folder of [...folders].sort()) {
    for (const name of listFilesBelow(join(root, folder))) {
      if (!JUDGED.test(name) || NOT_JUDGED.test(name)) continue;
      const bytes = readBytes(join(root, folder, name));
      hash.update(`${folder}/${name}\0${bytes.length}\0`);
      hash.update(bytes);
      files++;
    }
  }
  return { hash: hash.digest('hex'), files };
}

/** The version in the nearest `package.json` above the root. */
export function packageVersion(root: string = sourceRoot): string {
  for (const folder of [root, dirname(root)]) {
    const path = join(folder, 'package.json');
    if (!fileExists(path)) continue;
    const parsed: unknown = JSON.parse(readText(path));
    if (typeof parsed === 'object' && parsed !== null && 'version' in parsed) return String(parsed.version);
  }
  return 'unknown';
}
