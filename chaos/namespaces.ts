/** What this machine lets us do with mounts. */
import { commandWorks } from './real-files.ts';

/** A command that runs the rest in a mount namespace of its own, or why there is none. */
export type Namespace = { readonly prefix: readonly string[] } | { readonly unknown: string };

/** For a tmpfs: a user namespace does, so that no root is needed; as root a mount namespace does too. */
export function namespaceForTmpfs(): Namespace {
  if (commandWorks('unshare', '-Urm', 'true')) return { prefix: ['unshare', '-Urm'] };
  if (isRoot() && commandWorks('unshare', '-m', 'true')) return { prefix: ['unshare', '-m'] };
  return { unknown: 'this machine allows no mount namespaces (unshare -Urm fails), so no disk of our own size' };
}

/** For a file system on a loop device: root is needed. */
export function namespaceForLoopDevice(): Namespace {
  if (!isRoot()) return { unknown: 'a file system on a loop device needs root' };
  if (!commandWorks('mkfs.ext4', '-V')) return { unknown: 'mkfs.ext4 is not there' };
  if (commandWorks('unshare', '-m', 'true')) return { prefix: ['unshare', '-m'] };
  return { unknown: 'this machine allows no mount namespaces (unshare -m fails)' };
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}
