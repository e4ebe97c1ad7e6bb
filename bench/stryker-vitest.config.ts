/**
 * The tests that mutants of the WAL and the B+tree are shown to: the unit tests that the stage names, those of the
 * mutated file. Plain titles and one pinned seed, because Stryker picks tests by title (a random one there, and no
 * mutant is ever tested). No inventory: a mutant's run is never a whole run.
 */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: (process.env['LIGHTNING_MUTATION_TESTS'] ?? 'src/engine/**/*.test.ts').split(','),
    setupFiles: ['./properties/setup.ts'],
    testTimeout: 60_000,
  },
});
