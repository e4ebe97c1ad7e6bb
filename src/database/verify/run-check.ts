/**
 * Checks a whole sorted run on disk: as any tree file (tree-check.ts), and its footer against the versions. What is wrong
 * becomes a finding; nothing is thrown but operating system errors.
 */
import { bloomHash } from '../../base/bloom.ts';
import type { Vfs } from '../../vfs/vfs.ts';
import type { Version } from '../../engine/cursor.ts';
import { openNamed } from '../../engine/damage.ts';
import type { RunMeta } from '../../engine/run-format.ts';
import { readRunFooter, type RunFooter, runHeaderOf } from '../../engine/run-reader.ts';
import { treeFileOf } from '../../engine/tree-file.ts';
import { RUN_BLOCK_SIZE_BYTES } from '../../engine/tree-format.ts';
import type { Decoded } from '../../engine/types.ts';
import type { Finding } from './finding.ts';
import { finish } from '../read-only/read-store.ts';
import { checkTree, findingsOf } from './tree-check.ts';

/**
 * Examines the run that the manifest names.
 * Cost: one read of the file, and memory for its footer and one path of nodes.
 * @throws an operating system error other than ENOENT
 */
export function verifyRun(vfs: Vfs, path: string, meta: RunMeta, databaseId: Uint8Array): Finding[] {
  return finish(verifyRunInSlices(vfs, path, meta, databaseId, () => undefined));
}

/** The same in slices; yields the bytes of each. @param judge called for each version; the problem with it, if any */
export function* verifyRunInSlices(
  vfs: Vfs,
  path: string,
  meta: RunMeta,
  databaseId: Uint8Array,
  judge: (version: Version) => string | undefined,
): Generator<number, Finding[]> {
  return yield* findingsOf(function* () {
    const file = openNamed(vfs, path, 'read');
    try {
      const tree = treeFileOf(file, path, runHeaderOf(meta, databaseId));
      const footer = readRunFooter(tree, meta);
      const offset = meta.footer.block * RUN_BLOCK_SIZE_BYTES;
      const sums = new RunSums(meta, footer);
      const map = { blockCount: meta.sizeBytes / RUN_BLOCK_SIZE_BYTES, isUsed: () => true, freeExtents: noExtents };
      const { findings } = yield* checkTree({
        tree,
        databaseId,
        root: meta.root,
        map,
        isBalanced: false,
        others: [meta.footer],
        judge: (version, isNewKey) => sums.judge(version, isNewKey) ?? judge(version),
        cleanlyClosed: true,
      });
      if (findings.length > 0 && footer.ok) return findings;
      const problems = footer.ok ? sums.problems() : [footer.problem];
      return [
        ...findings,
        ...problems.map((problem): Finding => ({ severity: 'damage', file: path, offset, problem })),
      ];
    } finally {
      file.close();
    }
  });
}

function* noExtents(): Generator<never> {}

/** What a run sums up, against what was seen. */
class RunSums {
  private readonly meta: RunMeta;
  private readonly footer: RunFooter | undefined;
  private entryCount = 0;
  private leastSequence = Infinity;
  private greatestSequence = 0;

  constructor(meta: RunMeta, footer: Decoded<RunFooter>) {
    this.meta = meta;
    this.footer = footer.ok ? footer.value : undefined;
    for (const { sequence } of this.footer?.rangeTombstones ?? []) this.cover(sequence);
  }

  judge({ bytes, keyStart, keyEnd, sequence }: Version, isNewKey: boolean): string | undefined {
    this.entryCount++;
    this.cover(sequence);
    if (!isNewKey || this.footer?.filter.mayContain(bloomHash(bytes, keyStart, keyEnd)) !== false) return undefined;
    return 'the filter denies its key';
  }

  problems(): string[] {
    const { meta, entryCount, leastSequence, greatestSequence } = this;
    const problems: string[] = [];
    if (entryCount !== meta.entryCount) problems.push(`${entryCount} versions where ${meta.entryCount} are expected`);
    if (leastSequence !== meta.leastSequence || greatestSequence !== meta.greatestSequence) {
      problems.push(`sequences ${leastSequence} to ${greatestSequence}, not those of the manifest`);
    }
    return problems;
  }

  private cover(sequence: number): void {
    this.leastSequence = Math.min(this.leastSequence, sequence);
    this.greatestSequence = Math.max(this.greatestSequence, sequence);
  }
}
