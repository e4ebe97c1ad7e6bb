/**
 * The two indexes that crash programs may declare, and what their entries have to be: computed from the rows by code of
 * its own, which shares only the layout with the code that writes them.
 */
import { bytesOfKey, keyOfBytes } from '../../spec/executable/keys.ts';
import type { RecoveredMap } from '../../spec/executable/durable-prefix.ts';
import type { IndexDeclaration } from '../database/index.ts';
import type { Engine } from '../engine/index.ts';

/** By the first byte of a value, and by its first two, which are its writer's alone. */
export const INDEXES: readonly IndexDeclaration[] = [
  { name: 'first', extract: (_key, value) => (value.length > 1 ? value.subarray(0, 1) : undefined) },
  { name: 'writer', unique: true, extract: (_key, value) => (value.length > 1 ? value.subarray(0, 2) : undefined) },
];

const RESERVED = `${'\xff'.repeat(8)}index`;

/** Whether a key is an index's, by where it stands. */
export function isIndexKey(key: string): boolean {
  return key >= RESERVED;
}

/** A value as it stands in an entry's key: zeros are escaped, and an end marks where it ends. */
function inKey(value: Uint8Array): string {
  return `${keyOfBytes(value).replaceAll('\0', '\0\xff')}\0\x01`;
}

function expectedEntries(rows: RecoveredMap): Map<string, string> {
  const entries = new Map<string, string>();
  for (const [key, value] of rows) {
    if (value.length < 2) continue;
    entries.set(`${RESERVED}\x01first\0${inKey(value.subarray(0, 1))}${key}`, '');
    entries.set(`${RESERVED}\x01writer\0${inKey(value.subarray(0, 2))}`, key);
  }
  return entries;
}

/**
 * Whether the entries are those of the rows, in both directions.
 * @returns what is wrong; `undefined` when nothing is, or when an index is not complete yet and says so
 */
export function indexProblem(engine: Engine, rows: RecoveredMap): string | undefined {
  const found = new Map<string, string>();
  let markers = 0;
  const scan = engine.scan({ gte: bytesOfKey(RESERVED) });
  while (scan.next()) {
    const key = keyOfBytes(scan.current.key());
    if (key.startsWith(`${RESERVED}\0`)) markers++;
    else found.set(key, keyOfBytes(scan.current.value()));
  }
  if (markers < INDEXES.length) return undefined;
  const expected = expectedEntries(rows);
  for (const [key, value] of expected) {
    if (found.get(key) !== value) return `an entry is missing or wrong: ${printable(key)}`;
  }
  for (const key of found.keys()) if (!expected.has(key)) return `an entry has no row: ${printable(key)}`;
  return undefined;
}

function printable(key: string): string {
  return Buffer.from(key.slice(RESERVED.length), 'latin1').toString('hex');
}
