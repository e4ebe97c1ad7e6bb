/** The conformance suite of abstract-level on this store, in a process of its own, since tape owns the process. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import LightningLevel, { type LevelOptions } from '../src/database/level/level.ts';

const require = createRequire(import.meta.url);
const tape: { readonly onFinish: (call: () => void) => void } = require('tape');
const suite: (options: object) => void = require('abstract-level/test');

/** Thousands of stores are made: in memory where the system has such a folder. */
const place = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const root = mkdtempSync(join(place, 'lightning-level-'));
let next = 0;
for (const storeEncoding of [undefined, 'buffer', 'view'] as const) {
  suite({
    test: tape,
    factory: (options: LevelOptions = {}) =>
      new LightningLevel(join(root, `store-${next++}`), {
        durability: 'none',
        ...(storeEncoding === undefined ? {} : { storeEncoding }),
        ...options,
      }),
  });
}
tape.onFinish(() => rmSync(root, { recursive: true, force: true }));
