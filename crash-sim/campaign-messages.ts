/** What a campaign and its worker processes tell each other; plain data. */

/** What a worker is started with. */
export interface WorkerTask {
  readonly seed: number;
  /** It runs the programs whose number is `shard` modulo `shardCount`. */
  readonly shard: number;
  readonly shardCount: number;
  /** The first program to run; one of its own. */
  readonly first: number;
  readonly directoryModel: 'strict' | 'journaled' | 'ext4' | undefined;
  /** Where witnesses go. */
  readonly outDirectory: string;
  readonly sourcesHash: string;
}

/** What a worker saw since it last told; the parent adds it up. */
export interface WorkerReport {
  readonly kind: 'report';
  readonly programs: number;
  /** The program that comes after those told of. */
  readonly next: number;
  readonly counts: Readonly<Record<string, number>>;
  /** One number for each disk that was recovered: 52 bits of its hash. */
  readonly images: Float64Array;
  /** Milliseconds of the wall's clock that recoveries took, a sample; a busy machine makes them longer. */
  readonly recoveryMilliseconds: readonly number[];
  readonly peakMemoryBytes: number;
  readonly cpuSeconds: number;
  readonly violations: readonly {
    readonly class: string;
    readonly message: string;
    readonly witness: string;
    readonly operations: number;
  }[];
}
