/** Paths of a Vfs: names with `/` between them, below a root that they never leave. */
import { assert } from '../base/assert.ts';

const ROOT: readonly string[] = [];

/**
 * The names on the way from the root to what a path names; none for the root itself (`''` or `'.'`).
 * A path that could leave the root is an error of the caller, so it is asserted; names that come from outside are
 * checked before they get here.
 */
export function splitPath(path: string): readonly string[] {
  if (path === '' || path === '.') return ROOT;
  const names = path.split('/');
  for (const name of names) assert(isPlainName(name), 'a path never leaves its root', path);
  return names;
}

/** A name that means one entry of one folder on every platform, and nothing else. */
function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('\0') && !name.includes('\\');
}
