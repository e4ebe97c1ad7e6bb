/** Manifests: the one file that names all others. */
import { decodeManifest } from '../../src/engine/manifest-reader.ts';
import { encodeManifest } from '../../src/engine/manifest-writer.ts';
import type { ManifestState } from '../../src/engine/manifest-format.ts';
import { asBlockNumber, asFileNumber, asGeneration, asSequence } from '../../src/engine/types.ts';
import { isDeepStrictEqual } from 'node:util';
import { DATABASE_ID, type Fields, joinInput, splitInput } from '../byte-tools.ts';
import { agree, type DecoderTarget, type Judgement } from '../decoder-target.ts';

const LENGTH_MIN = 38;
const DATABASE_ID_AT = 18;
const MANIFEST_IDENTITY = 0xffff_ffff;

function repair(fields: Fields): void {
  fields.setText(0, 'LDBMAN\r\n');
  fields.bytes.set(DATABASE_ID, DATABASE_ID_AT);
  const end = fields.length - 4;
  fields.setUint32(end, fields.boundChecksum(0, end, MANIFEST_IDENTITY, 0));
}

/** That what an accepted manifest names can be the structure of a store. */
function agreeOnState(state: ManifestState): void {
  const { tree, segments, runs } = state;
  agree(segments.length > 0, 'an accepted manifest names a WAL segment');
  let next = state.flushedSequence + 1;
  for (const [i, { firstSequence, sealed }] of segments.entries()) {
    agree(firstSequence === next, 'segments follow each other', firstSequence, next);
    agree(sealed !== undefined || i === segments.length - 1, 'all but the last segment are sealed', i);
    next = (sealed?.lastSequence ?? 0) + 1;
  }
  let older: number = tree.greatestSequence;
  for (const { leastSequence, greatestSequence } of runs) {
    agree(leastSequence > older && greatestSequence >= leastSequence, 'runs follow each other', leastSequence, older);
    older = greatestSequence;
  }
  agree(older <= state.flushedSequence, 'what is in runs and tree was flushed', older, state.flushedSequence);
  const numbers = [...segments, ...runs].map(({ fileNumber }) => fileNumber as number);
  agree(new Set(numbers).size === numbers.length, 'no file number is used twice', numbers.join(' '));
  for (const number of numbers)
    agree(number > 0 && number < state.nextFileNumber, 'file numbers were given out', number);
  agree((tree.footer === undefined) === (tree.blockCount === 0), 'a tree has a footer when it has blocks');
  agree(!Number.isNaN(state.collectTime), 'the collect time is a number');
  agree(!Number.isNaN(tree.root?.reference.leastDeadline ?? 0), 'the deadline of the root is a number');
}

function check(input: Uint8Array): Judgement {
  const { fields } = splitInput(input, LENGTH_MIN);
  repair(fields);
  const reading = decodeManifest(fields.bytes);
  if (!reading.ok) return { kind: 'refused', problem: reading.problem };
  agreeOnState(reading.value);
  const again = decodeManifest(encodeManifest(reading.value));
  agree(again.ok, 'written again, an accepted manifest is accepted');
  agree(isDeepStrictEqual(again.value, reading.value), 'written again, a manifest says the same');
  return { kind: 'accepted' };
}

const FRESH: ManifestState = {
  databaseId: DATABASE_ID,
  generation: asGeneration(1),
  cleanlyClosed: false,
  blockSizeBytes: 4096,
  nextFileNumber: asFileNumber(2),
  flushedSequence: asSequence(0),
  collectTime: -Infinity,
  segments: [{ fileNumber: asFileNumber(1), firstSequence: asSequence(1), sealed: undefined }],
  runs: [],
  tree: {
    root: undefined,
    footer: undefined,
    blockCount: 0,
    greatestSequence: asSequence(0),
  },
};

const NODE = { generation: asGeneration(8), leastDroppable: Infinity, leastDeadline: Infinity };

const GROWN: ManifestState = {
  ...FRESH,
  generation: asGeneration(12),
  cleanlyClosed: true,
  nextFileNumber: asFileNumber(20),
  flushedSequence: asSequence(40),
  collectTime: 1_700_000_000_000,
  segments: [
    {
      fileNumber: asFileNumber(15),
      firstSequence: asSequence(41),
      sealed: { length: 900, lastSequence: asSequence(44) },
    },
    {
      fileNumber: asFileNumber(16),
      firstSequence: asSequence(45),
      sealed: { length: 64, lastSequence: asSequence(44) },
    },
  ],
  runs: [
    {
      fileNumber: asFileNumber(11),
      sizeBytes: 704,
      entryCount: 9,
      leastSequence: asSequence(21),
      greatestSequence: asSequence(30),
      root: { reference: { ...NODE, block: asBlockNumber(4), blocks: 2, payloadBytes: 90 }, height: 2 },
      footer: { ...NODE, block: asBlockNumber(8), blocks: 3, payloadBytes: 150 },
    },
    {
      fileNumber: asFileNumber(13),
      sizeBytes: 512,
      entryCount: 0,
      leastSequence: asSequence(31),
      greatestSequence: asSequence(40),
      root: undefined,
      footer: { ...NODE, block: asBlockNumber(1), blocks: 7, payloadBytes: 400 },
    },
  ],
  tree: {
    root: {
      reference: {
        block: asBlockNumber(3),
        blocks: 2,
        generation: asGeneration(9),
        payloadBytes: 900,
        leastDroppable: Infinity,
        leastDeadline: 1_800_000_000_000,
      },
      height: 2,
    },
    footer: { ...NODE, block: asBlockNumber(5), blocks: 1, payloadBytes: 1 },
    blockCount: 8,
    greatestSequence: asSequence(20),
  },
};

/** Fuzz target. */
export const target: DecoderTarget = {
  name: 'manifest',
  extraBytesMax: 0,
  samples: () =>
    new Map([
      ['fresh', joinInput(0, encodeManifest(FRESH))],
      ['grown', joinInput(0, encodeManifest(GROWN))],
    ]),
  check,
};
