/**
 * The process that measures recovery and nothing else: folder, seed and numbers of recoveries as arguments, the figures as
 * JSON on standard output. A real store is opened by a process that has just started; one whose heap other measurements
 * have filled would count the collection of their garbage.
 */
import { Workspace } from './ground.ts';
import { measureRecovery } from './recovery.ts';

const [folder, seed, recoveries, realRecoveries] = process.argv.slice(2);
const space = new Workspace(folder);
try {
  const figures = measureRecovery(space, {
    seed: Number(seed),
    recoveries: Number(recoveries),
    realRecoveries: Number(realRecoveries),
  });
  process.stdout.write(JSON.stringify(figures));
} finally {
  space.remove();
}
