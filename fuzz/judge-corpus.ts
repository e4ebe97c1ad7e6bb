/** Judges the committed corpus in a process of its own and prints, as JSON, what failed: `node fuzz/judge-corpus.ts`. */
import { readCorpus } from './corpus.ts';
import { judge } from './decoder-target.ts';
import { TARGETS } from './target-list.ts';

const failed: string[] = [];
for (const target of TARGETS) {
  for (const [name, input] of readCorpus(target.name)) {
    const judgement = judge(target, input);
    if (judgement.kind === 'failed') failed.push(`${target.name}/${name}: ${judgement.message}`);
  }
}
process.stdout.write(JSON.stringify(failed));
