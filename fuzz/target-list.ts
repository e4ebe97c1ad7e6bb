/** Every decoder that is fuzzed. */
import { LightningError } from '../src/base/errors.ts';
import type { DecoderTarget } from './decoder-target.ts';
import { target as blob } from './targets/blob.ts';
import { target as entryBlock } from './targets/entry-block.ts';
import { target as freeMap } from './targets/free-map.ts';
import { target as history } from './targets/history.ts';
import { target as manifest } from './targets/manifest.ts';
import { target as runFile } from './targets/run-file.ts';
import { target as treeNode } from './targets/tree-node.ts';
import { target as walRecord } from './targets/wal-record.ts';
import { target as walSegment } from './targets/wal-segment.ts';

/** In the order in which they are fuzzed. */
export const TARGETS: readonly DecoderTarget[] = [
  walSegment,
  walRecord,
  runFile,
  entryBlock,
  treeNode,
  manifest,
  freeMap,
  blob,
  history,
];

/** @throws LightningError `LIGHTNING_NOT_FOUND` */
export function targetNamed(name: string): DecoderTarget {
  const target = TARGETS.find((one) => one.name === name);
  if (target === undefined) throw new LightningError('LIGHTNING_NOT_FOUND', `no fuzz target ${name}`, { name });
  return target;
}
