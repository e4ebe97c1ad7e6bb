/**
 * Judges one input in a process of its own, for inputs over which a decoder may not end:
 * `node fuzz/judge-child.ts <target> <file>` prints the judgement as JSON.
 */
import { readBytes } from '../src/report/files.ts';
import { judge } from './decoder-target.ts';
import { targetNamed } from './target-list.ts';

const [name, path] = process.argv.slice(2);
process.stdout.write(JSON.stringify(judge(targetNamed(name), readBytes(path))));
