/** Module hooks of this process, for the processes it starts: what edits sources here must edit them there. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A path becomes a URL, because the other process may stand in another folder; a package name stays. */
function absolute(specifier: string): string {
  return /^[./]/.test(specifier) ? pathToFileURL(resolve(specifier)).href : specifier;
}

/** The `--import` flags with which this process was started, in their order. */
export function importFlags(flags: readonly string[] = process.execArgv): string[] {
  const found: string[] = [];
  for (const [i, flag] of flags.entries()) {
    if (flag.startsWith('--import=')) found.push(`--import=${absolute(flag.slice('--import='.length))}`);
    else if (flag === '--import') found.push(`--import=${absolute(flags[i + 1])}`);
  }
  return found;
}
