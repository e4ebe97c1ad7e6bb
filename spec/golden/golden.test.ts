/** Stores of every released format are opened by this version, hold what they held, and stay sound. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import { ManualClock } from '../../src/base/clock.ts';
import { Engine } from '../../src/engine/index.ts';
import { verifyStore } from '../../src/database/verify/verify-store.ts';
import { NodeVfs } from '../../src/vfs/node-vfs.ts';

const formats = readdirSync(import.meta.dirname).filter((name) => name.startsWith('format-'));

test('there is a golden store of each format', () => {
  expect(formats).toEqual(['format-1']);
});

test.each(formats)('%s opens, holds its rows, and is sound before and after', (format) => {
  const directory = mkdtempSync(join(tmpdir(), 'lightning-golden-'));
  try {
    cpSync(join(import.meta.dirname, format, 'store'), directory, { recursive: true });
    const vfs = new NodeVfs(directory);
    expect(verifyStore(vfs, { isOpen: false })).toMatchObject({ clean: true, findings: [] });
    const engine = Engine.open({ vfs, clock: new ManualClock(1_000_000) }, { createIfMissing: false });
    const rows: [string, string][] = [];
    const scan = engine.scan();
    while (scan.next()) rows.push([toHex(scan.current.key()), toHex(scan.current.value())]);
    expect(rows).toEqual(JSON.parse(readFileSync(join(import.meta.dirname, format, 'rows.json'), 'utf8')));
    engine.compact();
    engine.close();
    expect(verifyStore(vfs, { isOpen: false })).toMatchObject({ clean: true, findings: [] });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
