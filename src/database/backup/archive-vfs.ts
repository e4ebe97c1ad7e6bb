/**
 * Keeps every log segment that the engine deletes, and every blob that it refers to (archived-blobs.ts): their copies are
 * durable in the archive before the name is taken away. An
 * archive that refuses keeps the segment where it is: the engine sees a failed unlink, which leaves garbage and no more,
 * and the next opening tries again.
 *
 * Names in the archive: `<timeline in hex>-wal-<n>.log`.
 */
import { toHex } from '../../base/bytes.ts';
import { fileNumberOf, walFileName } from '../../engine/file-names.ts';
import { readManifest } from '../../engine/recovery.ts';
import { isBlobFile } from '../blobs/blob-format.ts';
import { archiveBlob, archiveBlobsOf, copyDurably } from './archived-blobs.ts';
import { ForwardingVfs } from '../../vfs/forwarding-vfs.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import { readWholeFile } from '../../vfs/watched-vfs.ts';

/** What names of segments of a timeline begin with. */
export function archivePrefix(timeline: Uint8Array): string {
  return `${toHex(timeline)}-`;
}

/** See the head of the file. */
export class ArchivingVfs extends ForwardingVfs {
  private readonly archive: Vfs;
  private readonly timeline: () => Uint8Array;

  /** @param timeline asked for when a segment is archived */
  constructor(inner: Vfs, archive: Vfs, timeline: () => Uint8Array) {
    super(inner);
    this.archive = archive;
    this.timeline = timeline;
  }

  override unlink(path: string): void {
    const number = fileNumberOf(path);
    if (number !== undefined && path === walFileName(number)) this.keep(path, number);
    else if (isBlobFile(path)) archiveBlob(this.inner, this.archive, this.timeline(), path);
    this.inner.unlink(path);
  }

  private keep(path: string, number: number): void {
    const timeline = this.timeline();
    const name = `${archivePrefix(timeline)}${path}`;
    if (this.archive.kind(name) !== undefined) return;
    const { databaseId } = readManifest(this.inner);
    const blobs = { files: this.inner, archive: this.archive, databaseId, timeline };
    archiveBlobsOf(readWholeFile(this.inner, path), number, blobs);
    copyDurably(this.inner, path, this.archive, name);
  }
}
