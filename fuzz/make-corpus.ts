/**
 * Writes the committed corpus: `node fuzz/make-corpus.ts`. Each sample of each target is one file,
 * `fuzz/corpus/<target>/<sample>.bin`; a test compares the files with what this would write.
 */
import { makeDirectory, removeTree } from '../src/report/files.ts';
import { writeBytes } from './byte-files.ts';
import { join } from 'node:path';
import { corpusRoot } from './corpus.ts';
import { TARGETS } from './target-list.ts';

let files = 0;
for (const target of TARGETS) {
  const folder = join(corpusRoot, target.name);
  removeTree(folder);
  makeDirectory(folder);
  for (const [name, input] of target.samples()) {
    writeBytes(join(folder, `${name}.bin`), input);
    files++;
  }
}
process.stdout.write(`${TARGETS.length} targets, ${files} inputs\n`);
