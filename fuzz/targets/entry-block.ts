/** Blocks of packed entries, as data blocks of runs and leaves of the tree hold them. */
import { EntryBlock } from '../../src/engine/entry-block.ts';
import { joinInput, splitInput } from '../byte-tools.ts';
import type { DecoderTarget, Judgement } from '../decoder-target.ts';
import {
  agreeOnBlock,
  CLOSE_VERSIONS,
  packEntries,
  readEntries,
  repairSlots,
  SAMPLE_ENTRIES,
} from '../naive-entries.ts';

/** Choices of the harness: lay the slots anew, stretch the last value to the end. */
const REPAIR_SLOTS = 1;
const STRETCH_LAST = 2;

function check(input: Uint8Array): Judgement {
  const { choices, fields } = splitInput(input);
  if ((choices & REPAIR_SLOTS) !== 0) repairSlots(fields, 0, fields.length, (choices & STRETCH_LAST) !== 0);
  const decoded = EntryBlock.decode(fields.bytes, 0, fields.length);
  if (!decoded.ok) return { kind: 'refused', problem: decoded.problem };
  agreeOnBlock(decoded.value, readEntries(fields, 0, fields.length));
  return { kind: 'accepted' };
}

/** Fuzz target. */
export const target: DecoderTarget = {
  name: 'entry-block',
  extraBytesMax: 0,
  samples: () =>
    new Map([
      ['all-kinds', joinInput(REPAIR_SLOTS | STRETCH_LAST, packEntries(SAMPLE_ENTRIES))],
      ['as-it-is', joinInput(0, packEntries(SAMPLE_ENTRIES.slice(1, 4)))],
      ['close-versions', joinInput(0, packEntries(CLOSE_VERSIONS))],
      ['empty', joinInput(0, packEntries([]))],
    ]),
  check,
};
