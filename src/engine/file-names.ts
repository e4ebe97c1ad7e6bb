/** Names of the files of a store. Numbers come from one counter and are never reused. */
import type { ManifestState } from './manifest-format.ts';
import { asFileNumber, type FileNumber } from './types.ts';

export const LOCK_FILE = 'LOCK';
export const MANIFEST_FILE = 'MANIFEST';
export const MANIFEST_TEMPORARY_FILE = 'MANIFEST.tmp';
export const TREE_FILE = 'tree.db';
const FIXED_NAMES: readonly string[] = [LOCK_FILE, MANIFEST_FILE, MANIFEST_TEMPORARY_FILE, TREE_FILE];

/** Name of a WAL segment. */
export function walFileName(number: FileNumber): string {
  return `wal-${number}.log`;
}

/** Name of a sorted run. */
export function runFileName(number: FileNumber): string {
  return `run-${number}.sst`;
}

/** The number in a numbered name; `undefined` for any other name. */
export function fileNumberOf(name: string): FileNumber | undefined {
  const match = /^(?:wal-(\d{1,10})\.log|run-(\d{1,10})\.sst|blob-(\d{1,10}))$/.exec(name);
  if (match === null) return undefined;
  const number = Number(match[1] ?? match[2] ?? match[3]);
  return number <= 0xffff_ffff ? asFileNumber(number) : undefined;
}

/** Whether a name is one that this engine makes. */
export function isStoreFile(name: string): boolean {
  return FIXED_NAMES.includes(name) || fileNumberOf(name) !== undefined;
}

/** Every file of the store that a manifest describes. */
export function filesOf(manifest: ManifestState): Set<string> {
  const names = new Set([LOCK_FILE, MANIFEST_FILE]);
  for (const segment of manifest.segments) names.add(walFileName(segment.fileNumber));
  for (const run of manifest.runs) names.add(runFileName(run.fileNumber));
  if (manifest.tree.blockCount > 0) names.add(TREE_FILE);
  return names;
}
