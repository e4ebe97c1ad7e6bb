/**
 * A circuit breaker for memory: closed below 90 % of the limit, open from there until use is back under 80 %. While it is
 * open writes are refused with `LIGHTNING_LIMIT` (definitely not made), and reads go on; what lies in memory is flushed.
 *
 * Counted is what grows with writing: memtables, the block cache, what open transactions hold, and writes that wait. A
 * limit has to leave room for cache and memtable twice over: then a flush always closes the breaker again.
 */
import { LightningError } from '../../base/errors.ts';
import type { EngineStatistics, WriteOperation } from '../../engine/index.ts';

/** The least limit on memory. */
export const MEMORY_BYTES_MIN = 1024 * 1024;
const OPENS_AT = 0.9;
const CLOSES_BELOW = 0.8;

/** Bytes of memory that the engine holds for what was written and read. */
export function engineMemoryBytes(
  statistics: Pick<EngineStatistics, 'memtableBytes' | 'frozenBytes' | 'cacheBytes'>,
): number {
  return statistics.memtableBytes + statistics.frozenBytes + statistics.cacheBytes;
}

/**
 * @param fixedBytes of cache and memtable, as they are set
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for what is no whole number of bytes from {@link MEMORY_BYTES_MIN},
 *   or leaves less than twice the fixed part
 */
export function checkMemoryLimit(memoryBytesMax: unknown, fixedBytes: number): void {
  const least = Math.max(MEMORY_BYTES_MIN, 2 * fixedBytes);
  if (typeof memoryBytesMax === 'number' && Number.isSafeInteger(memoryBytesMax) && memoryBytesMax >= least) return;
  throw new LightningError(
    'LIGHTNING_INVALID_ARGUMENT',
    `memoryBytesMax is a whole number from ${least}: 1 MiB, and twice cacheBytes and memtableBytes`,
    { memoryBytesMax, least },
  );
}

/** See the head of the file. */
export class MemoryBreaker {
  private readonly limitBytes: number;
  private readonly usedBytes: () => number;
  private readonly relieve: () => void;
  private waitingBytes = 0;
  private isOpen = false;

  /**
   * @param usedBytes asked before each write, without those that wait
   * @param relieve called at each refusal; it has memtables flushed soon
   */
  constructor(limitBytes: number, usedBytes: () => number, relieve: () => void) {
    this.limitBytes = limitBytes;
    this.usedBytes = usedBytes;
    this.relieve = relieve;
  }

  /**
   * Before a write of `bytes`.
   * @throws LightningError `LIGHTNING_LIMIT` while it is open, and for a write that alone would pass the limit
   */
  checkWrite(bytes: number): void {
    const used = this.usedBytes() + this.waitingBytes;
    if (used >= OPENS_AT * this.limitBytes) this.isOpen = true;
    else if (used < CLOSES_BELOW * this.limitBytes) this.isOpen = false;
    if (!this.isOpen && used + bytes <= this.limitBytes) return;
    this.relieve();
    throw new LightningError('LIGHTNING_LIMIT', `memory: ${used} of ${this.limitBytes} bytes are in use`, {
      used,
      limit: this.limitBytes,
    });
  }

  /** Lets a write through, and counts its bytes until it is settled. */
  async counting(bytes: number, work: () => Promise<void>): Promise<void> {
    this.checkWrite(bytes);
    this.waitingBytes += bytes;
    try {
      await work();
    } finally {
      this.waitingBytes -= bytes;
    }
  }
}

/** Bytes of keys and values. What is no operation weighs nothing: the engine refuses it. */
export function weightOf(operations: readonly WriteOperation[]): number {
  if (!Array.isArray(operations)) return 0;
  let sum = 0;
  for (const operation of operations as readonly Partial<Record<string, unknown>>[]) {
    for (const bytes of [operation['key'], operation['value']]) if (bytes instanceof Uint8Array) sum += bytes.length;
  }
  return sum;
}
