import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isLightningError } from '../base/errors.ts';
import {
  type Evidence,
  type EvidenceBody,
  type Expectation,
  readEvidence,
  recomputeVerdict,
  sealEvidence,
  strongest,
  writeEvidence,
} from './evidence.ts';
import { readText, writeWhole } from './files.ts';
import { evidenceBody } from './fixtures.ts';

const directory = mkdtempSync(join(tmpdir(), 'evidence-'));
const nonce = 'a nonce of one process';
const expected: Expectation = {
  stage: 'crash',
  mode: 'run',
  seed: 7,
  profile: 'smoke',
  sourcesHash: 'a'.repeat(64),
  nonce,
};

function write(name: string, body: EvidenceBody): string {
  const path = join(directory, name);
  writeEvidence(path, body, nonce);
  return path;
}

function refusalOf(path: string, expectation: Expectation = expected): unknown {
  try {
    readEvidence(path, expectation);
    return 'accepted';
  } catch (error) {
    if (isLightningError(error, 'LIGHTNING_EVIDENCE_REFUSED')) return error.details['reason'];
    throw error;
  }
}

test('what was written is read', () => {
  const evidence = readEvidence(write('good.json', evidenceBody()), expected);
  expect(evidence.counts).toEqual({ cycles: 12 });
});

test('other stages, modes, seeds, profiles and sources are refused', () => {
  const path = write('other.json', evidenceBody());
  expect(refusalOf(path, { ...expected, stage: 'chaos' })).toBe('other-stage');
  expect(refusalOf(path, { ...expected, mode: 'hash' })).toBe('other-mode');
  expect(refusalOf(path, { ...expected, seed: 8 })).toBe('other-seed');
  expect(refusalOf(path, { ...expected, profile: 'ci' })).toBe('other-profile');
  expect(refusalOf(path, { ...expected, sourcesHash: 'b'.repeat(64) })).toBe('other-sources');
});

test('edited, cut, absent and strange files are refused', () => {
  const path = write('edited.json', evidenceBody());
  const text = readText(path);
  writeWhole(path, text.replace('"cycles": 12', '"cycles": 13'));
  expect(refusalOf(path)).toBe('edited');
  writeWhole(path, text.slice(0, 300));
  expect(refusalOf(path)).toBe('cut');
  writeWhole(path, text.replace('"seed"', '"sead"'));
  expect(refusalOf(path)).toBe('schema');
  expect(refusalOf(join(directory, 'absent.json'))).toBe('missing');
});

test('an edit that is hashed again is refused by the seal', () => {
  const path = join(directory, 'resealed.json');
  const forged: Evidence = sealEvidence({ ...evidenceBody(), counts: { cycles: 1_000_000 } }, 'a guess');
  writeWhole(path, JSON.stringify(forged));
  expect(refusalOf(path)).toBe('seal');
  const { nonce: _, ...later } = expected;
  expect(refusalOf(path, later)).toBe('accepted');
});

test('a pass of nothing is refused, an unknown of nothing is not', () => {
  expect(refusalOf(write('zero.json', { ...evidenceBody(), counts: { cycles: 0 } }))).toBe('zero-executions');
  const checks = [{ name: 'c', verdict: 'unknown' as const, detail: 'no FUSE' }];
  expect(refusalOf(write('none.json', { ...evidenceBody(), counts: {}, checks, verdict: 'unknown' }))).toBe('accepted');
});

test('a verdict that does not follow is refused', () => {
  const checks = [{ name: 'c', verdict: 'fail' as const, detail: '' }];
  expect(refusalOf(write('wrong.json', { ...evidenceBody(), checks }))).toBe('own-verdict-wrong');
});

test('the order of verdicts', () => {
  expect(strongest(['pass', 'unknown', 'vacuous', 'fail'])).toBe('fail');
  expect(strongest(['pass', 'unknown', 'vacuous'])).toBe('vacuous');
  expect(strongest(['pass', 'unknown'])).toBe('unknown');
  expect(strongest([])).toBe('vacuous');
  expect(recomputeVerdict({ checks: [], failures: [] })).toBe('vacuous');
});
