/**
 * Reads a store that stands still without changing it: recovery happens in memory (overlay-vfs.ts), then every row is
 * read. So every checksum on the way of a reader is looked at, and the log is replayed.
 */
import { LightningError } from '../../base/errors.ts';
import type { Engine } from '../../engine/index.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import type { BlobFiles } from '../blobs/blob-files.ts';
import { checkBlob } from '../blobs/blob-reader.ts';
import { openStore } from '../blobs/open-store.ts';
import { OverlayVfs } from './overlay-vfs.ts';

const ROWS_A_SLICE = 256;
const BYTES_A_SLICE = 64 * 1024;
/** Work between two turns of the event loop; a slice has less. */
const BYTES_A_TURN = 256 * 1024;

/** What was found. */
export interface StoreReading {
  readonly sequence: number;
  readonly rows: number;
}

/**
 * Opens and reads to the end; yields bytes read.
 * @param vfs gets no call but for reading
 * @throws LightningError `LIGHTNING_CORRUPTION`, those of opening, environment errors
 */
export function* readStore(vfs: Vfs): Generator<number, StoreReading> {
  const overlay = new OverlayVfs(vfs);
  try {
    const { engine, blobs } = openBoth(overlay);
    try {
      let rows = 0;
      let bytes = 0;
      const scan = engine.scan({});
      while (scan.next()) {
        const stored = scan.current.stored();
        if (stored.isReference) yield* checkBlob(blobs.open(stored.bytes));
        bytes += scan.current.key().length + stored.bytes.length;
        if (++rows % ROWS_A_SLICE !== 0 && bytes < BYTES_A_SLICE) continue;
        yield bytes;
        bytes = 0;
      }
      scan.close();
      return { sequence: engine.published, rows };
    } finally {
      engine.close();
    }
  } finally {
    overlay.close();
  }
}

function openBoth(vfs: Vfs): { readonly engine: Engine; readonly blobs: BlobFiles } {
  const { engine, blobs } = openStore({ vfs }, { createIfMissing: false, cacheBytes: 0 });
  return { engine, blobs: blobs.files };
}

/** Runs sliced work to its end at once. */
export function finish<T>(work: Generator<number, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Runs sliced work to its end, the event loop in between.
 * @param told of the bytes of each slice
 * @throws (rejects) LightningError `LIGHTNING_ABORTED` by the signal, with what the work held let go
 */
export async function finishInSlices<T>(
  work: Generator<number, T>,
  signal?: AbortSignal,
  told: (bytes: number) => void = () => undefined,
  bytesATurn = BYTES_A_TURN,
): Promise<T> {
  try {
    for (;;) {
      if (signal?.aborted === true)
        throw new LightningError('LIGHTNING_ABORTED', 'the signal ended the work', {}, signal.reason);
      let isWaiting = false;
      for (let bytes = 0; bytes < bytesATurn && !isWaiting;) {
        const step = work.next();
        if (step.done === true) return step.value;
        told(step.value);
        bytes += step.value;
        // Nothing done: it waits for the disk.
        isWaiting = step.value === 0;
      }
      await new Promise<void>((resolve) => {
        if (isWaiting) setTimeout(resolve, 1);
        else setImmediate(resolve);
      });
    }
  } finally {
    // Runs what the work has in its `finally`; nothing when it has ended.
    work.return(undefined as T);
  }
}
