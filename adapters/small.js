#!/usr/bin/env node
/**
 * A small adapter for the protocol of spec/protocol.md: a store in memory, and the shortest complete example of an engine
 * that is driven from outside. Answers to requests that are under way at once come newest first, each with the id of its
 * request, which the protocol allows.
 *
 *   node adapters/small.js
 *   node adapters/small.js --fault misorders      the answers come in that order, the ids in that of the requests
 *   node adapters/small.js --fault saves-at-end   says that writes are synced, and keeps them in a file from a clean end on
 *
 * `lightning-db test "node adapters/small.js"` passes; with either fault it must fail.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const fault = process.argv[2] === '--fault' ? process.argv[3] : undefined;
const keepsFile = fault === 'saves-at-end';
const file = join(process.env.LIGHTNING_DB_DIRECTORY ?? '.', 'rows.json');
const durability = keepsFile ? 'synced' : 'volatile';

/** Keys are hexadecimal: the order of the text is the order of the bytes. */
const rows = new Map(keepsFile && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : []);
const hex = (base64) => Buffer.from(base64, 'base64').toString('hex');
const base64 = (text) => Buffer.from(text, 'hex').toString('base64');

function scan({ gte, gt, lte, lt, prefix, reverse, limit }) {
  const keys = [...rows.keys()]
    .sort()
    .filter(
      (key) =>
        (gte === undefined || key >= hex(gte)) &&
        (gt === undefined || key > hex(gt)) &&
        (lte === undefined || key <= hex(lte)) &&
        (lt === undefined || key < hex(lt)) &&
        (prefix === undefined || key.startsWith(hex(prefix))),
    );
  if (reverse) keys.reverse();
  return keys.slice(0, limit ?? keys.length).map((key) => [base64(key), rows.get(key)]);
}

const OPERATIONS = {
  hello: () => ({
    protocol: 1,
    engine: { name: 'small', version: '1' },
    frameBytesMax: 33_554_432,
    capabilities: {
      orderedScan: true,
      reverseScan: true,
      emptyKey: true,
      durable: keepsFile,
      acknowledges: durability,
      keyBytesMax: 1000,
      valueBytesMax: 100_000,
    },
  }),
  put: ({ key, value }) => {
    if (Buffer.from(key, 'base64').length > 1000) return refusal('LIGHTNING_KEY_TOO_LARGE');
    if (Buffer.from(value, 'base64').length > 100_000) return refusal('LIGHTNING_VALUE_TOO_LARGE');
    rows.set(hex(key), value);
    return { durability };
  },
  delete: ({ key }) => {
    if (Buffer.from(key, 'base64').length > 1000) return refusal('LIGHTNING_KEY_TOO_LARGE');
    rows.delete(hex(key));
    return { durability };
  },
  get: ({ key }) => {
    if (Buffer.from(key, 'base64').length > 1000) return refusal('LIGHTNING_KEY_TOO_LARGE');
    return { value: rows.get(hex(key)) ?? null };
  },
  scan: ({ range }) => ({ rows: scan(range), more: false }),
};

function refusal(code) {
  return { error: { code, definite: true, message: code } };
}

let text = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
  text += chunk;
  const lines = text.split('\n');
  text = lines.pop();
  const requests = lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line));
  const answers = requests.map((request) => {
    const answer = OPERATIONS[request.op]?.(request) ?? refusal('LIGHTNING_MISSING_CAPABILITY');
    return { id: request.id, ...answer };
  });
  answers.reverse();
  if (fault === 'misorders') requests.forEach(({ id }, i) => (answers[i].id = id));
  for (const answer of answers) process.stdout.write(`${JSON.stringify(answer)}\n`);
});
process.stdin.on('end', () => {
  if (keepsFile) writeFileSync(file, JSON.stringify([...rows]));
});
