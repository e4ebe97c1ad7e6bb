/** Opens an engine together with the blobs of its store. */
import { assert } from '../../base/assert.ts';
import { Engine, type EngineEnvironment, type EngineOptions } from '../../engine/index.ts';
import { BlobFiles } from './blob-files.ts';
import { Blobs } from './blobs.ts';

/**
 * @param blobBytes values above so many bytes become blobs; by default 64 KiB
 * @throws LightningError as `Engine.open`
 */
export function openStore(
  environment: Omit<EngineEnvironment, 'references'>,
  options: Partial<EngineOptions>,
  blobBytes?: number,
): { readonly engine: Engine; readonly blobs: Blobs } {
  if (blobBytes !== undefined) Blobs.checkOption(blobBytes);
  let files: BlobFiles | undefined;
  const engine = Engine.open(
    { ...environment, references: (vfs, databaseId) => (files = new BlobFiles(vfs, databaseId)) },
    options,
  );
  assert(files !== undefined, 'an engine that is open has its references');
  return { engine, blobs: new Blobs(engine, files, blobBytes) };
}
