import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'src/**/*.test.ts',
      'spec/**/*.test.ts',
      'properties/**/*.test.ts',
      'models/**/*.test.ts',
      'fuzz/**/*.test.ts',
      'crash-sim/**/*.test.ts',
      'chaos/**/*.test.ts',
      'bench/**/*.test.ts',
      'planted-bugs/**/*.test.ts',
      'scripts/**/*.test.ts',
    ],
    setupFiles: ['./properties/setup.ts'],
    testTimeout: 60_000,
    reporters: ['default', './properties/inventory-reporter.ts'],
  },
});
