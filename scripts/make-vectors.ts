/**
 * Makes the conformance vectors of spec/vectors from the model of versions. Needs Java and TLC (spec/models.md); the
 * result is kept, so that nobody else does.
 *
 * `node scripts/make-vectors.ts`
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { coveringVectors } from '../models/behaviours.ts';
import { brokenConfigurations, brokenPath, modelPath, passingPath } from '../models/configurations.ts';
import { counterexampleVector } from '../models/counterexample-vectors.ts';
import { counterexampleOf } from '../models/replays.ts';
import { parseStateGraph } from '../models/state-graph.ts';
import { runTlaCheckerOnAll } from '../models/tla-checker-runner.ts';
import { findTlc } from '../models/tlc-runner.ts';

const stateSchema = z.object({
  log: z.array(z.object({ keys: z.array(z.string()), kind: z.enum(['put', 'delete', 'clear']), seq: z.number() })),
  durable: z.number(),
  published: z.number(),
  frozen: z.array(z.unknown()),
  runs: z.array(z.unknown()),
  live: z.array(z.object({ s: z.number(), now: z.number() })),
  merge: z.object({ running: z.boolean() }),
  merges: z.number(),
  reopens: z.number(),
});

const SOURCES = [
  { name: 'two-keys', keys: ['a', 'b'], about: 'two keys, two transactions or snapshots, one crash' },
  { name: 'one-key', keys: ['a'], about: 'one key, deletions of ranges, flush, merge, two readers, one crash' },
];

/** What a client that waits for each answer can carry out of the counterexamples; tla-checker finds them. */
async function makeCounterexamples(): Promise<void> {
  const broken = brokenConfigurations.filter(({ model, liveness }) => model === 'MVCC' && !liveness);
  const outcomes = await runTlaCheckerOnAll(
    broken.map(({ model, name }) => ({
      modelPath: modelPath(model),
      configurationPath: brokenPath(name),
      timeLimitSeconds: 600,
      workDirectory: tmpdir(),
    })),
  );
  const vectors = broken.flatMap((one, index) => {
    const outcome = outcomes[index];
    if (outcome.verdict !== 'violated') throw new Error(`${one.name}: ${outcome.verdict}`);
    return counterexampleVector(one.name, counterexampleOf(one, outcome.trace)) ?? [];
  });
  const path = fileURLToPath(new URL('../spec/vectors/mvcc-counterexamples.ndjson', import.meta.url));
  writeFileSync(path, vectors.map((vector) => `${JSON.stringify(vector)}\n`).join(''));
  process.stdout.write(`counterexamples: ${vectors.length} vectors of ${broken.length} counterexamples\n`);
}

await makeCounterexamples();
const tlc = await findTlc();
if (!tlc.available) throw new Error(tlc.reason);
const scratch = mkdtempSync(join(tmpdir(), 'lightning-db-vectors-'));
try {
  for (const { name, keys, about } of SOURCES) {
    const dump = join(scratch, `${name}.dot`);
    const program = ['-XX:+UseSerialGC', '-cp', tlc.jar, 'tlc2.TLC', '-deadlock', '-workers', '1', '-metadir', scratch];
    const files = ['-dump', 'dot', dump, '-config', passingPath(`MVCC.vectors-${name}`), modelPath('MVCC')];
    execFileSync('java', [...program, ...files], { stdio: 'ignore' });
    const graph = parseStateGraph(readFileSync(dump, 'utf8'));
    const states = graph.states.map((state) => stateSchema.parse(state));
    const { vectors, edges } = coveringVectors(graph, states, { id: `mvcc-${name}`, about, keys });
    const path = fileURLToPath(new URL(`../spec/vectors/mvcc-${name}.ndjson`, import.meta.url));
    writeFileSync(path, vectors.map((vector) => `${JSON.stringify(vector)}\n`).join(''));
    process.stdout.write(`${name}: ${states.length} states, ${edges} client steps in ${vectors.length} vectors\n`);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
