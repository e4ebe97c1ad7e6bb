import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { FolderVfs } from './folder-vfs.ts';
import { vfsConformance } from './vfs-conformance.ts';

vfsConformance('FolderVfs', () => {
  const disk = new SimulatedDisk();
  disk.makeDirectory('above');
  disk.makeDirectory('above/folder');
  return {
    vfs: new FolderVfs(disk, 'above/folder'),
    openFileCount: () => disk.openFileCount,
    dispose: () => disk.checkInvariants(),
  };
});
