/** Every counterexample against the real engine, as a run of its own and a table for people. */
import { brokenConfigurations, brokenPath, modelPath, modelsDirectory } from './configurations.ts';
import { WITHOUT_GUARD } from './replay-guards.ts';
import { replayConfiguration, type ReplayRow } from './replays.ts';
import { runTlaCheckerOnAll } from './tla-checker-runner.ts';

const TIME_LIMIT_SECONDS = 600;
const BATCH_SIZE = 9;

/**
 * Has tla-checker find the counterexample of each broken configuration of safety, and replays it, on the whole engine and
 * without the guard.
 */
export async function replayModels(
  wants: (name: string) => boolean,
  onProgress: (text: string) => void,
): Promise<readonly ReplayRow[]> {
  const wanted = brokenConfigurations.filter(({ name, liveness }) => !liveness && wants(name));
  const rows: ReplayRow[] = [];
  for (let first = 0; first < wanted.length; first += BATCH_SIZE) {
    const batch = wanted.slice(first, first + BATCH_SIZE);
    const outcomes = await runTlaCheckerOnAll(
      batch.map(({ model, name }) => ({
        modelPath: modelPath(model),
        configurationPath: brokenPath(name),
        timeLimitSeconds: TIME_LIMIT_SECONDS,
        workDirectory: modelsDirectory,
      })),
    );
    for (const [index, one] of batch.entries()) {
      const outcome = outcomes[index];
      onProgress(`${rows.length + 1} of ${wanted.length}: ${one.name}`);
      const row = outcome.verdict === 'violated' ? await replayConfiguration(one, outcome.trace, true) : undefined;
      if (row !== undefined) rows.push(row);
    }
  }
  return rows;
}

/** A paragraph for each counterexample, and those with nothing to replay them on. */
export function replayLines(rows: readonly ReplayRow[]): string[] {
  const broken = rows.filter(({ without }) => without !== undefined).length;
  const kept = rows.filter(({ broke }) => broke === undefined).length;
  return [
    `${rows.length} counterexamples replayed: ${kept} kept by the engine, ${broken} broken without the guard`,
    ...rows.flatMap(({ name, violates, guard, calls, runs, broke, without }) => [
      '',
      `${name} (${violates})`,
      `  calls:              ${calls.join(', ')}`,
      `  the engine:         ${broke === undefined ? `keeps it, in ${runs} runs` : `BREAKS IT: ${broke}`}`,
      `  without the guard:  ${without ?? 'NOT BROKEN'}  [${guard}]`,
    ]),
    '',
    'Not replayed:',
    ...Object.entries(WITHOUT_GUARD).map(([name, reason]) => `  ${name}: ${reason}`),
  ];
}
