/** The committed corpus and the harness around the decoders. */
import { expect, test } from 'vitest';
import { Prng } from '../src/base/prng.ts';
import { readCorpus } from './corpus.ts';
import { agree, type DecoderTarget, judge } from './decoder-target.ts';
import { mutate } from './mutate.ts';
import { shrinkBytes } from './shrink-bytes.ts';
import { TARGETS, targetNamed } from './target-list.ts';

const MUTATED_INPUTS = 300;

function broken(check: DecoderTarget['check']): DecoderTarget {
  return { name: 'broken', extraBytesMax: 0, samples: () => new Map(), check };
}

test.each(TARGETS.map((target) => [target.name, target] as const))(
  '%s: the corpus is read as it should be',
  (name, target) => {
    const corpus = readCorpus(name);
    expect(corpus.size).toBeGreaterThanOrEqual(2);
    for (const [file, input] of corpus) expect([file, judge(target, input)]).toEqual([file, { kind: 'accepted' }]);
  },
);

test.each(TARGETS.map((target) => [target.name, target] as const))(
  '%s: the corpus is what the script writes',
  (name, target) => {
    const samples = [...target.samples()].map(([sample, bytes]) => [
      `${sample}.bin`,
      Buffer.from(bytes).toString('hex'),
    ]);
    const corpus = [...readCorpus(name)].map(([file, bytes]) => [file, Buffer.from(bytes).toString('hex')]);
    expect(new Map(corpus as [string, string][])).toEqual(new Map(samples as [string, string][]));
  },
);

test.each(TARGETS.map((target) => [target.name, target] as const))(
  '%s: mutated inputs are refused or accepted',
  (name, target) => {
    const random = new Prng(20_261_120);
    const corpus = [...readCorpus(name).values()];
    const kinds = new Map<string, number>();
    for (let i = 0; i < MUTATED_INPUTS; i++) {
      const judgement = judge(target, mutate(random.pick(corpus), random));
      expect(judgement.kind === 'failed' ? judgement.message : '').toBe('');
      kinds.set(judgement.kind, (kinds.get(judgement.kind) ?? 0) + 1);
    }
    expect(kinds.get('accepted') ?? 0).toBeGreaterThan(0);
    expect(kinds.get('refused') ?? 0).toBeGreaterThan(0);
  },
);

test('an exception, a disagreement and hoarded memory are failures of their class', () => {
  const input = new Uint8Array(10);
  const thrown = judge(
    broken(() => [].at(0) ?? JSON.parse('{')),
    input,
  );
  expect(thrown).toMatchObject({ kind: 'failed', class: 'decoder-exception' });
  const wrong = judge(
    broken(() => {
      agree(false, 'two is three', 2, 3);
      return { kind: 'accepted' };
    }),
    input,
  );
  expect(wrong).toEqual({ kind: 'failed', class: 'decoder-accepts', message: 'two is three (2, not 3)' });
  const held: Uint8Array[] = [];
  const hoarding = judge(
    broken(() => {
      held.push(new Uint8Array(64 * 1024 * 1024));
      return { kind: 'accepted' };
    }),
    input,
  );
  expect(held).toHaveLength(1);
  expect(hoarding).toMatchObject({ kind: 'failed', class: 'decoder-exception' });
});

test('a failing input shrinks to what makes it fail', () => {
  const input = new Prng(7).bytes(200);
  input[120] = 77;
  const shrunk = shrinkBytes(
    input,
    (candidate) => candidate.includes(77),
    () => false,
  );
  expect([...shrunk.bytes]).toEqual([77]);
  expect(shrunk.minimal).toBe(true);
});

test('an unknown target is refused with a code', () => {
  expect(() => targetNamed('nothing')).toThrow(expect.objectContaining({ code: 'LIGHTNING_NOT_FOUND' }));
});
