/**
 * The clients of the disk-full checks and their ledger: what was acknowledged, what was refused, what is open, and what a
 * store may show after that. Every key is written once, so a key names its batch.
 */
import { LightningError } from '../src/base/errors.ts';
import { hash32 } from '../src/base/hash.ts';
import type { Prng } from '../src/base/prng.ts';
import type { WriteOperation } from '../src/engine/index.ts';
import type { Contents } from './load-judge.ts';

/** What the client was told. */
type Outcome = 'acknowledged' | 'rejected' | 'indefinite';

interface Entry {
  readonly number: number;
  readonly keys: readonly string[];
  readonly outcome: Outcome;
}

/** What is wrong; `class` is a failure class of the stages. */
export interface LedgerObjection {
  readonly class: string;
  readonly message: string;
}

/** The bytes that batch `number` writes under a key. */
function valueFor(seed: number, key: string): Uint8Array {
  const state = hash32(Buffer.from(`${seed} ${key}`, 'latin1'));
  return new Uint8Array(100 + (state % 4000)).fill(state >>> 24);
}

export class Ledger {
  private readonly seed: number;
  private readonly entries: Entry[] = [];
  private drawn = 0;

  constructor(seed: number) {
    this.seed = seed;
  }

  /** A new batch of 1 to 8 keys. */
  draw(prng: Prng): {
    readonly number: number;
    readonly operations: readonly WriteOperation[];
    readonly keys: string[];
  } {
    const number = this.drawn++;
    const keys = Array.from({ length: prng.between(1, 8) }, (_, i) => `${prng.uint32().toString(16)}/${number}/${i}`);
    const operations = keys.map((key): WriteOperation => {
      return { type: 'put', key: Buffer.from(key, 'latin1'), value: valueFor(this.seed, key) };
    });
    return { number, operations, keys };
  }

  /** Notes what the client was told. */
  note(batch: { readonly number: number; readonly keys: readonly string[] }, outcome: Outcome): void {
    this.entries.push({ number: batch.number, keys: batch.keys, outcome });
  }

  count(outcome: Outcome): number {
    return this.entries.filter((entry) => entry.outcome === outcome).length;
  }

  /** Judges everything that a store shows. */
  judge(contents: Contents): LedgerObjection | undefined {
    let known = 0;
    for (const { number, keys, outcome } of this.entries) {
      const there = keys.filter((key) => contents.has(key));
      known += there.length;
      if (there.length !== 0 && there.length !== keys.length) {
        const message = `${there.length} of ${keys.length} keys of batch ${number} (${outcome}) are there`;
        return { class: outcome === 'rejected' ? 'rejected-write-visible' : 'torn-batch', message };
      }
      if (outcome === 'acknowledged' && there.length === 0) {
        return { class: 'lost-acknowledged-write', message: `batch ${number} was acknowledged and is not there` };
      }
      if (outcome === 'rejected' && there.length > 0) {
        return { class: 'rejected-write-visible', message: `batch ${number} was refused and is there` };
      }
      const wrong = there.find((key) =>
        Buffer.compare(contents.get(key) ?? new Uint8Array(0), valueFor(this.seed, key)),
      );
      if (wrong !== undefined) return { class: 'wrong-read', message: `${wrong} has a value that nobody wrote` };
    }
    if (known === contents.size) return undefined;
    return { class: 'wrong-read', message: `${contents.size} keys are there, ${known} of them written` };
  }

  /** Some acknowledged key, to read while the disk is full. */
  someKey(prng: Prng): { readonly key: Uint8Array; readonly value: Uint8Array } {
    const acknowledged = this.entries.filter((entry) => entry.outcome === 'acknowledged');
    if (acknowledged.length === 0) throw new LightningError('LIGHTNING_HARNESS', 'nothing was acknowledged');
    const key = prng.pick(prng.pick(acknowledged).keys);
    return { key: Buffer.from(key, 'latin1'), value: valueFor(this.seed, key) };
  }
}
