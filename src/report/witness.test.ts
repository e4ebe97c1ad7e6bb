/** Capsules: what was written is read back, and whatever was done to the file in between is refused with its code. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { isLightningError } from '../base/errors.ts';
import { readWitness, type WitnessBody, writeWitness } from './witness.ts';

const folder = mkdtempSync(join(tmpdir(), 'capsule-'));
const path = join(folder, 'capsule.json');
afterAll(() => rmSync(folder, { recursive: true }));

const body: WitnessBody = {
  stage: 'crash',
  profile: 'manual',
  seed: 7,
  class: 'torn-batch',
  message: 'commit 1 is there in part',
  operations: 1,
  shrink: '',
  story: ['1 operation'],
  sourcesHash: 'a'.repeat(64),
  case: { format: 1 },
  recording: { legs: [] },
};

beforeEach(() => writeWitness(path, body));

function codeOf(): string {
  try {
    readWitness(path);
  } catch (error) {
    if (isLightningError(error)) return error.code;
    throw error;
  }
  return 'read';
}

function edit(change: (capsule: Record<string, unknown>) => void): void {
  const capsule = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  change(capsule);
  writeFileSync(path, JSON.stringify(capsule));
}

test('a capsule is read back as it was written, with what it was written by', () => {
  expect(readWitness(path)).toMatchObject({ ...body, versions: { node: process.version } });
});

test('the order of its fields and its spaces are no part of it', () => {
  edit((capsule) => {
    const { stage } = capsule;
    delete capsule['stage'];
    capsule['stage'] = stage;
  });
  expect(codeOf()).toBe('read');
});

test('equal failures have equal fingerprints, whatever seed found them', () => {
  const fingerprint = (changed: Partial<WitnessBody>): string => {
    writeWitness(path, { ...body, ...changed });
    return readWitness(path).fingerprint;
  };
  expect(fingerprint({ seed: 8, message: 'in other words' })).toBe(fingerprint({}));
  expect(fingerprint({ case: { format: 2 } })).not.toBe(fingerprint({}));
  expect(fingerprint({ class: 'lost-acknowledged-write' })).not.toBe(fingerprint({}));
});

test('an edit of any field is refused, and so is one that is added or taken away', () => {
  const names = Object.keys(JSON.parse(readFileSync(path, 'utf8')) as object);
  expect(names.length).toBeGreaterThan(14);
  for (const name of names.filter((one) => one !== 'format' && one !== 'version')) {
    writeWitness(path, body);
    edit((capsule) => (capsule[name] = typeof capsule[name] === 'number' ? 3 : `${String(capsule[name])}x`));
    expect([name, codeOf()]).toEqual([name, 'LIGHTNING_EVIDENCE_REFUSED']);
    writeWitness(path, body);
    edit((capsule) => delete capsule[name]);
    expect([name, codeOf()]).toEqual([name, 'LIGHTNING_EVIDENCE_REFUSED']);
  }
  writeWitness(path, body);
  edit((capsule) => (capsule['more'] = 1));
  expect(codeOf()).toBe('LIGHTNING_EVIDENCE_REFUSED');
});

test('a capsule cut anywhere is refused', () => {
  const text = readFileSync(path, 'utf8');
  for (let length = 60; length < text.length - 2; length += 17) {
    writeFileSync(path, text.slice(0, length));
    expect([length, codeOf()]).toEqual([length, 'LIGHTNING_EVIDENCE_REFUSED']);
  }
});

test('another version and another kind of file are told apart from damage', () => {
  edit((capsule) => (capsule['version'] = 1));
  expect(codeOf()).toBe('LIGHTNING_UNSUPPORTED_FORMAT');
  for (const text of ['', 'MZ', '{}', '[]', 'null', '{"format":"else"}']) {
    writeFileSync(path, text);
    expect(codeOf()).toBe('LIGHTNING_UNSUPPORTED_FORMAT');
  }
  rmSync(path);
  expect(codeOf()).toBe('LIGHTNING_NOT_FOUND');
});
