/**
 * Makes a file durable that is written for a long time: beside the work where somebody waits in turns, so that an fsync of
 * hundreds of megabytes holds up nobody; at once otherwise.
 */
import type { VfsFile } from '../../vfs/vfs.ts';

/** Bytes written until the next fsync begins. */
const SYNC_EVERY_BYTES = 16 * 1024 * 1024;

/** Fsyncs of one file, at most one at a time. */
export class SlicedSync {
  private readonly file: VfsFile;
  private readonly overlapped: boolean;
  private sinceBytes = 0;
  private isUnderWay = false;
  private failure: Error | undefined;

  /** @param overlapped whether fsyncs run beside the work; the event loop has to turn between slices then */
  constructor(file: VfsFile, overlapped: boolean) {
    this.file = file;
    this.overlapped = overlapped;
  }

  /** So many bytes more were written. */
  note(bytes: number): void {
    this.sinceBytes += bytes;
    if (this.overlapped && !this.isUnderWay && this.sinceBytes >= SYNC_EVERY_BYTES) this.begin();
  }

  private begin(): void {
    this.sinceBytes = 0;
    this.isUnderWay = true;
    this.file.syncAsync((error) => {
      this.isUnderWay = false;
      if (error !== undefined) this.failure ??= error instanceof Error ? error : new Error('the fsync failed');
    });
  }

  /** Makes everything durable; yields 0 while it waits. @throws the first error of any of the fsyncs */
  *finish(): Generator<number, void> {
    while (this.isUnderWay) yield 0;
    if (!this.overlapped) this.file.sync();
    else if (this.failure === undefined) {
      this.begin();
      while (this.isUnderWay) yield 0;
    }
    if (this.failure !== undefined) throw this.failure;
  }
}
