/** Whole sorted runs in a file: nodes, filter and range tombstones, through reader and verifier. */
import { isLightningError } from '../../src/base/errors.ts';
import { type Cursor, Version } from '../../src/engine/cursor.ts';
import type { BlockCache } from '../../src/base/block-cache.ts';
import { RunReader } from '../../src/engine/run-reader.ts';
import { verifyRun } from '../../src/database/verify/run-check.ts';
import type { RunMeta } from '../../src/engine/run-format.ts';
import { asSequence } from '../../src/engine/types.ts';
import { DATABASE_ID, splitInput } from '../byte-tools.ts';
import { agree, type DecoderTarget, type Judgement } from '../decoder-target.ts';
import { MemoryVfs } from '../memory-vfs.ts';
import { agreeOnEntry, compareEntries, type NaiveEntry } from '../naive-entries.ts';
import { repairRun, RUN_BYTES_MIN, RUN_FILE_NUMBER } from '../run-repair.ts';
import { runSamples } from '../run-samples.ts';

const PATH = `run-${RUN_FILE_NUMBER}.sst`;
/** No run of a few kilobytes has more; a cursor that walks on forever is caught here. */
const VERSIONS_MAX = 10_000;
const NO_CACHE: BlockCache = { get: () => undefined, put: () => {}, remove: () => {} };

/** The message of damage that reading reported; anything else goes on. */
function damageIn(action: () => void): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (isLightningError(error, 'LIGHTNING_CORRUPTION') || isLightningError(error, 'LIGHTNING_UNSUPPORTED_FORMAT')) {
      return error.message;
    }
    throw error;
  }
}

function entryOf(cursor: Cursor): NaiveEntry {
  const { sequence, deadline } = cursor;
  const never = deadline === Infinity;
  return {
    key: cursor.key(),
    value: cursor.value(),
    sequence,
    isPut: cursor.kind !== 0,
    isReference: cursor.kind === 2,
    deadline: never ? undefined : deadline,
  };
}

/** All versions in the direction that `step` goes. */
function walk(cursor: Cursor, begin: () => void, step: () => void): NaiveEntry[] {
  const entries: NaiveEntry[] = [];
  begin();
  while (cursor.valid) {
    agree(entries.length < VERSIONS_MAX, 'a walk over a run ends', entries.length);
    entries.push(entryOf(cursor));
    step();
  }
  return entries;
}

/** What holds of a run that the verifier finds nothing wrong with. */
function agreeOnCleanRun(run: RunReader, meta: RunMeta): void {
  const cursor = run.cursor({ bypassCache: true });
  const forward = walk(
    cursor,
    () => cursor.first(),
    () => cursor.next(),
  );
  const backward = walk(
    cursor,
    () => cursor.last(),
    () => cursor.previous(),
  );
  agree(forward.length === meta.entryCount, 'a run counts its versions', forward.length, meta.entryCount);
  agree(backward.length === forward.length, 'both ways show the same versions', backward.length, forward.length);
  for (const [i, { start, end, sequence }] of run.rangeTombstones.entries()) {
    agree(end === undefined || Buffer.compare(start, end) < 0, 'a range tombstone covers something', i);
    agree(sequence >= meta.leastSequence, 'a range tombstone is inside the bounds of its run', sequence);
    agree(sequence <= meta.greatestSequence, 'a range tombstone is inside the bounds of its run', sequence);
  }
  const found = new Version();
  for (const [i, entry] of forward.entries()) {
    agree(i === 0 || compareEntries(forward[i - 1], entry) < 0, 'versions of a run are in internal order', i);
    agree(compareEntries(backward[forward.length - 1 - i], entry) === 0, 'both ways show the same version', i);
    agree(entry.sequence >= meta.leastSequence, 'a version is inside the bounds of its run', entry.sequence);
    agree(entry.sequence <= meta.greatestSequence, 'a version is inside the bounds of its run', entry.sequence);
    run.get(entry.key, asSequence(entry.sequence), found);
    agreeOnEntry(found, entry, `the version that get finds for version ${i}`);
    cursor.seek(entry.key, asSequence(entry.sequence));
    agreeOnEntry(cursor, entry, `the version that seek finds for version ${i}`);
    cursor.seekBefore(entry.key, asSequence(entry.sequence));
    agree(cursor.valid === i > 0, 'before the first version is none', i);
    if (i > 0) agreeOnEntry(cursor, forward[i - 1], `the version before version ${i}`);
  }
}

/** What holds of any run that could be opened: reading it says damage, or gives something. */
function readDamagedRun(run: RunReader): void {
  const cursor = run.cursor({ bypassCache: true });
  damageIn(() => {
    for (const entry of walk(
      cursor,
      () => cursor.first(),
      () => cursor.next(),
    )) {
      run.get(entry.key, asSequence(entry.sequence), new Version());
    }
  });
  damageIn(() => {
    walk(
      cursor,
      () => cursor.last(),
      () => cursor.previous(),
    );
  });
}

function check(input: Uint8Array): Judgement {
  const { choices, fields } = splitInput(input, RUN_BYTES_MIN);
  const { bytes, meta: expected } = repairRun(fields, choices);
  const vfs = new MemoryVfs();
  vfs.files.set(PATH, bytes);
  const findings = verifyRun(vfs, PATH, expected, DATABASE_ID);
  let run: RunReader | undefined;
  const refusal = damageIn(() => {
    run = RunReader.open(vfs, expected, DATABASE_ID, NO_CACHE);
  });
  if (run === undefined) {
    agree(findings.length > 0, 'the verifier finds what the reader refuses', refusal);
    return { kind: 'refused', problem: refusal ?? '' };
  }
  if (findings.length > 0) {
    readDamagedRun(run);
    return { kind: 'refused', problem: findings[0].problem };
  }
  agreeOnCleanRun(run, expected);
  return { kind: 'accepted' };
}

/** Fuzz target. A block of a run may unpack to the largest raw block, in reader and verifier at once. */
export const target: DecoderTarget = {
  name: 'run-file',
  extraBytesMax: 64 * 1024 * 1024,
  samples: runSamples,
  check,
};
