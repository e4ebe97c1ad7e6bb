/**
 * Programs for crash campaigns: up to twenty operations over few keys, with every option of the store drawn so small that
 * a flush, a merge or a manifest swap happens within them. Values are unique, so that a read names its writer; some are
 * longer than a sector, so that their records tear.
 */
import type { Prng } from '../base/prng.ts';
import type { BatchOperation, OpenOptions, Operation, Program } from '../contract/operations.ts';

const OPERATIONS_MAX = 20;
const KINDS = [
  'put',
  'delete',
  'batch',
  'clear',
  'get',
  'sync',
  'flush',
  'merge',
  'collect',
  'reopen',
  'transaction',
] as const;
const BASE_WEIGHTS = [10, 3, 5, 1, 2, 2, 3, 2, 1, 2, 2];

/** Hexadecimal text of a number in a field of `width` bytes. */
function hex(value: number, width: number): string {
  return value.toString(16).padStart(width * 2, '0');
}

class Generator {
  private readonly random: Prng;
  private readonly keyCount: number;
  private readonly weights: number[];
  private serial = 0;
  private transactions = 0;

  constructor(random: Prng) {
    this.random = random;
    this.keyCount = random.between(1, 8);
    // Swarm testing (Groce and others 2012): each program leaves some kinds out and favours others.
    this.weights = BASE_WEIGHTS.map((weight, i) =>
      i > 0 && random.chance(0.3) ? 0 : weight * random.pick([1, 1, 2, 5]),
    );
  }

  program(): Program {
    const operations: Operation[] = [];
    const count = this.random.between(1, OPERATIONS_MAX);
    while (operations.length < count) operations.push(...this.step());
    return { format: 1, options: this.options(), operations };
  }

  private step(): Operation[] {
    const sync = this.random.chance(0.85) ? {} : { sync: false };
    switch (KINDS[this.random.weighted(this.weights)]) {
      case 'put':
        return [{ kind: 'put', key: this.key(), value: this.value(), ...sync }];
      case 'delete':
        return [{ kind: 'delete', key: this.key(), ...sync }];
      case 'batch':
        return [{ kind: 'batch', operations: this.batch(), ...sync }];
      case 'clear':
        return [{ kind: 'clear', range: this.random.chance(0.3) ? {} : { gte: this.key(), lt: this.key() }, ...sync }];
      case 'get':
        return [{ kind: 'get', key: this.key() }];
      case 'sync':
        return [{ kind: 'sync' }];
      case 'flush':
        return [{ kind: 'flush' }];
      case 'merge':
        return [{ kind: 'merge' }];
      case 'collect':
        return [{ kind: 'collect' }];
      case 'reopen':
        return [{ kind: 'reopen' }];
      case 'transaction':
        return this.transaction();
    }
  }

  private transaction(): Operation[] {
    const transaction = ++this.transactions;
    const writes: Operation[] = [
      { kind: 'begin', transaction },
      { kind: 'txGet', transaction, key: this.key() },
    ];
    for (let n = this.random.between(1, 3); n > 0; n--) {
      writes.push({ kind: 'txPut', transaction, key: this.key(), value: this.value() });
    }
    return [...writes, { kind: 'commit', transaction }];
  }

  private batch(): BatchOperation[] {
    return Array.from({ length: this.random.between(2, 4) }, () =>
      this.random.chance(0.75)
        ? { kind: 'put', key: this.key(), value: this.value() }
        : { kind: 'delete', key: this.key() },
    );
  }

  private key(): string {
    return hex(this.random.below(this.keyCount), 1);
  }

  /** A unique value of some bytes, or of more than a sector. */
  private value(): { readonly repeat: string; readonly length: number } {
    const length = this.random.chance(0.25) ? this.random.between(500, 2500) : this.random.between(2, 60);
    return { repeat: hex(++this.serial, 2), length };
  }

  private options(): OpenOptions {
    const { random } = this;
    return {
      durability: random.pick(['commit', 'commit', 'commit', 'none']),
      memtableBytes: random.pick([1, 300, 2000, 100_000]),
      blockSizeBytes: 512,
      nodeTargetBytes: random.pick([512, 1024]),
      runBlockBytes: random.pick([64, 512]),
      runCountMax: random.pick([1, 2, 4]),
      frozenCountMax: random.pick([1, 2]),
      compression: random.pick(['none', 'none', 'deflate']),
      bloomBitsPerKey: 10,
      cacheBytes: random.pick([0, 10_000]),
    };
  }
}

/** Draws a program. */
export function generateCrashProgram(random: Prng): Program {
  return new Generator(random).program();
}
