import { fileURLToPath } from 'node:url';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Prng } from '../base/prng.ts';
import { crc32 } from '../base/checksum.ts';
import { isLightningError } from '../base/errors.ts';
import { decodeColumns, encodeColumns, isBinaryHistory } from './binary.ts';
import { ColumnsBuilder, type HistoryColumns } from './columns.ts';
import { accessesAt, columnsOf, operationAt } from './columns-of.ts';
import type { Access } from './history.ts';
import { parseHistory } from './ndjson.ts';

const EXAMPLE = [
  '{"event":"call","id":0,"client":0,"kind":"write","writes":[{"key":"k","value":"1"}],"time":0}',
  '{"event":"return","id":0,"outcome":"ok","reads":[],"durability":"synced","time":1}',
  '{"event":"crash","time":2}',
  '{"event":"reopen","time":3}',
  '',
].join('\n');

function everyKind(): HistoryColumns {
  const builder = new ColumnsBuilder();
  const accesses: readonly Access[] = [
    { kind: 'read', key: 'ä', value: null },
    { kind: 'write', key: 'ä', value: 'x' },
    { kind: 'write', key: 'ä', value: null },
    { kind: 'append', key: 'l', element: '1' },
    { kind: 'list', key: 'l', elements: ['1', '2'] },
    { kind: 'list', key: 'l', elements: [] },
    { kind: 'range', from: 'a', to: null, rows: [{ key: 'b', value: '' }] },
  ];
  builder.begin({ id: 7, client: 3, kind: 'transaction', outcome: 'ok', call: 0, return: 5 });
  for (const access of accesses) builder.access(access);
  builder.begin({ id: 8, client: 4, kind: 'cas', outcome: 'unknown', call: 1, return: Infinity });
  return builder.build([{ kind: 'crash', index: 9 }]);
}

/** What the bytes say, with texts in place of numbers. */
const told = (columns: HistoryColumns): unknown =>
  Array.from({ length: columns.count }, (_, place) => [operationAt(columns, place), accessesAt(columns, place)]);

describe('binary histories', () => {
  test('come back as they were, every kind of access, crashes included', () => {
    const columns = everyKind();
    const again = decodeColumns(encodeColumns(columns));
    expect(told(again)).toEqual(told(columns));
    expect(again.markers).toEqual(columns.markers);
    expect(encodeColumns(again)).toEqual(encodeColumns(columns));
    expect(accessesAt(again, 0)).toHaveLength(7);
  });

  test('the worked example of its page is decoded, and made again byte for byte', () => {
    const page = readFileSync(fileURLToPath(new URL('../../spec/formats/history.md', import.meta.url)), 'utf8');
    const [, block] = /```hex\n([\s\S]*?)```/.exec(page) ?? [];
    const bytes = Uint8Array.from(Buffer.from((block ?? '').replaceAll(/\s/g, ''), 'hex'));
    expect(encodeColumns(columnsOf(parseHistory(EXAMPLE)))).toEqual(bytes);
    expect(isBinaryHistory(bytes)).toBe(true);
    expect(operationAt(decodeColumns(bytes), 0)).toMatchObject({
      writes: [{ key: 'k', value: '1' }],
      durability: 'synced',
    });
  });

  const refusal = (bytes: Uint8Array): string => {
    try {
      decodeColumns(bytes);
    } catch (error) {
      return isLightningError(error, 'LIGHTNING_INVALID_ARGUMENT') ? error.message : `not coded: ${String(error)}`;
    }
    return 'decoded';
  };

  test('each cut and each changed byte is refused', () => {
    const bytes = encodeColumns(everyKind());
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal(bytes.slice(0, length))).toMatch(/^history, binary: /);
    }
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] ^= 0x40;
      expect(refusal(changed)).toMatch(/^history, binary: /);
    }
  });

  test('numbers that point nowhere are refused even under a good checksum, and nothing else is thrown', () => {
    const bytes = encodeColumns(everyKind());
    const prng = new Prng(4);
    let decoded = 0;
    for (let run = 0; run < 4_000; run++) {
      const changed = bytes.slice();
      for (let times = prng.between(1, 3); times > 0; times--)
        changed[prng.between(16, bytes.length - 1)] = prng.below(256);
      new DataView(changed.buffer).setUint32(8, crc32(changed, 12), true);
      const answer = refusal(changed);
      if (answer === 'decoded') {
        decoded++;
        told(decodeColumns(changed));
      } else expect(answer).toMatch(/^history, binary: /);
    }
    // Most bytes are parts of ids, clients, events and texts, which may be any.
    expect(decoded).toBeGreaterThan(500);
    expect(decoded).toBeLessThan(3_500);
  });
});
