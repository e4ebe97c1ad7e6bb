/**
 * Scrubbing: every byte on disk is read again while the store is used, to find what a medium has done to it since it was
 * written. The files are looked at as they stand in one moment (frozen-vfs.ts), in slices of at most a node, a segment or
 * a chunk of a blob, with the event loop in between; nothing is taken from the cache, and nothing is changed.
 */
import { LightningError } from '../base/errors.ts';
import type { Engine } from '../engine/index.ts';
import type { FreezableVfs } from './backup/frozen-vfs.ts';
import { finishInSlices } from './read-only/read-store.ts';
import type { Finding } from './verify/finding.ts';
import { verifyStoreInSlices } from './verify/verify-store.ts';

/** What a scrub came to. */
export interface ScrubReport {
  /** What is wrong; empty: nothing. */
  readonly findings: readonly Finding[];
  readonly filesRead: number;
  readonly bytesRead: number;
}

/** Figures of scrubbing. */
export interface ScrubStatistics {
  /** Scrubs that came to their end. */
  readonly scrubs: number;
  /** Bytes that scrubs have read, the one under way included: its progress. */
  readonly scrubbedBytes: number;
  readonly scrubFindings: number;
}

/** Nobody waits for a scrub, and everybody may come between. */
const ONE_SLICE_A_TURN = 1;

/** One at a time; see the head of the file. */
export class Scrubber {
  private readonly engine: Engine;
  private readonly files: FreezableVfs;
  private isRunning = false;
  private readonly counts = { scrubs: 0, scrubbedBytes: 0, scrubFindings: 0 };

  constructor(engine: Engine, files: FreezableVfs) {
    this.engine = engine;
    this.files = files;
  }

  /**
   * Reads everything. What is written meanwhile is not looked at.
   * @throws (rejects) LightningError `LIGHTNING_LIMIT` while another one runs, or when more than 256 MiB were overwritten
   *   under it; `LIGHTNING_ABORTED` by the signal; `LIGHTNING_CLOSED`, `LIGHTNING_POISONED`, environment errors
   */
  async run(signal?: AbortSignal): Promise<ScrubReport> {
    if (this.isRunning) throw new LightningError('LIGHTNING_LIMIT', 'a scrub is under way', { limit: 1 });
    this.isRunning = true;
    let bytesRead = 0;
    try {
      const count = (bytes: number): void => {
        bytesRead += bytes;
        this.counts.scrubbedBytes += bytes;
        // A store that is closed ends its scrub.
        this.engine.commit([]);
      };
      const report = await finishInSlices(this.slices(), signal, count, ONE_SLICE_A_TURN);
      this.counts.scrubs++;
      this.counts.scrubFindings += report.findings.length;
      return { findings: report.findings, filesRead: report.filesRead, bytesRead };
    } finally {
      this.isRunning = false;
    }
  }

  private *slices(): ReturnType<typeof verifyStoreInSlices> {
    this.engine.sync();
    const view = this.files.freeze();
    try {
      return yield* verifyStoreInSlices(view, { isOpen: true });
    } finally {
      view.release();
    }
  }

  statistics(): ScrubStatistics {
    return { ...this.counts };
  }
}
