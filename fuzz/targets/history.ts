/** Histories in binary form (`spec/formats/history.md`): what is read in place, and what the checkers make of it. */
import { crc32 } from 'node:zlib';
import { isLightningError } from '../../src/base/errors.ts';
import { checkDurability, checkIsolation, checkLinearizability } from '../../src/checkers/index.ts';
import { decodeColumns, encodeColumns } from '../../src/history/binary.ts';
import { ColumnsBuilder, type HistoryColumns } from '../../src/history/columns.ts';
import type { Access } from '../../src/history/history.ts';
import { Fields, joinInput, sameBytes, splitInput } from '../byte-tools.ts';
import { agree, type DecoderTarget, type Judgement } from '../decoder-target.ts';

const [COUNTS_AT, HEADER_BYTES] = [16, 56];
/** Choices of the harness: as many bytes as the counts announce; the checksum of what is there. */
const [REPAIR_LENGTH, REPAIR_SUM] = [1, 2];
const LENGTH_MAX = 16 * 1024;
/** Of a check whose verdict does not matter, only that there is one. */
const BUDGET = { stepsMax: 500, statesMax: 500 };

/** Where each section begins and how many entries of how many bytes it has, as the page says. */
function sectionsOf(fields: Fields): readonly { readonly at: number; readonly size: number; readonly count: number }[] {
  const [n, a, k, c, l, e, keyBytes, valueBytes, tail] = Array.from({ length: 9 }, (_, i) =>
    fields.uint32(COUNTS_AT + 4 * i),
  );
  const table = [
    ...[n, n, n, n].map((count) => [8, count]),
    ...[n + 1, a, a, k, c, l + 1, e, k, c].map((count) => [4, count]),
    ...[n, n, n, a, keyBytes, valueBytes, tail].map((count) => [1, count]),
  ];
  let at = HEADER_BYTES;
  return table.map(([size, count]) => {
    const section = { at, size, count };
    at += Math.ceil((size * count) / 8) * 8;
    return section;
  });
}

function announcedLength(fields: Fields): number {
  const { at, count } = sectionsOf(fields)[19];
  return at + Math.ceil(count / 8) * 8;
}

function repaired(fields: Fields, choices: number): Fields {
  let whole = fields;
  const length = announcedLength(fields);
  if ((choices & REPAIR_LENGTH) !== 0 && length <= LENGTH_MAX) {
    const bytes = new Uint8Array(length);
    bytes.set(fields.bytes.subarray(0, length));
    whole = new Fields(bytes);
  }
  whole.setText(0, 'LDB-HIST');
  if ((choices & REPAIR_SUM) !== 0) whole.setUint32(8, crc32(whole.bytes.subarray(12)));
  return whole;
}

/** Entries of a section; those of one byte as they are, four bytes without a sign, eight as floating point. */
function entriesOf(fields: Fields, section: number): number[] {
  const { at, size, count } = sectionsOf(fields)[section];
  const read = (i: number): number =>
    size === 8 ? fields.float64(at + 8 * i) : size === 4 ? fields.uint32(at + 4 * i) : fields.bytes[at + i];
  return Array.from({ length: count }, (_, i) => read(i));
}

function textsOf(fields: Fields, ends: number, section: number): string[] {
  const { at } = sectionsOf(fields)[section];
  return entriesOf(fields, ends).map((end, i, all) =>
    Buffer.from(fields.bytes.subarray(at + (i === 0 ? 0 : all[i - 1]), at + end)).toString('utf8'),
  );
}

/** The columns are what the bytes say, and whatever points points at something of its own. */
function agreeOnColumns(fields: Fields, columns: HistoryColumns): void {
  agree(announcedLength(fields) === fields.length, 'an accepted history has the bytes that it announces');
  agree(fields.uint32(8) === crc32(fields.bytes.subarray(12)), 'an accepted history has its checksum');
  const { id, client, call, return: ends, first, key, cell, absent, cellKey, listFirst, elements } = columns;
  const numbers = [id, client, call, ends, first, key, cell, absent, cellKey, listFirst, elements];
  numbers.forEach((column, section) => {
    const same = (entry: number, i: number): boolean =>
      Object.is(entry, column[i]) || (section >= 4 && entry === column[i] >>> 0);
    agree(entriesOf(fields, section).every(same), 'a column is its section', section);
  });
  const [keys, values] = [textsOf(fields, 11, 17), textsOf(fields, 12, 18)];
  agree(
    keys.every((text, i) => columns.keys.at(i) === text),
    'keys are read where they stand',
  );
  agree(
    values.every((text, i) => columns.values.at(i) === text),
    'values are read where they stand',
  );
  agree(new Set(keys).size === keys.length, 'no two keys have one name');
  const cells = entriesOf(fields, 8);
  entriesOf(fields, 16).forEach((what, a) => {
    agree(what <= 6, 'an access is of a kind', what);
    if (what === 4) agree(cell[a] >= 0 && cell[a] < columns.ranges.length, 'a range is there', cell[a]);
    else agree(key[a] >= 0 && key[a] < keys.length, 'the key of an access is there', key[a]);
    if (what === 3) agree(cell[a] >= 0 && cell[a] < listFirst.length - 1, 'a list is there', cell[a]);
    else if (what !== 4)
      agree(cells[cell[a]] === key[a], 'the cell of an access is of its key', cells[cell[a]], key[a]);
  });
}

function check(input: Uint8Array): Judgement {
  const { choices, fields: given } = splitInput(input, HEADER_BYTES);
  const fields = repaired(given, choices);
  let columns: HistoryColumns;
  try {
    columns = decodeColumns(fields.bytes);
  } catch (error) {
    if (!isLightningError(error, 'LIGHTNING_INVALID_ARGUMENT')) throw error;
    return { kind: 'refused', problem: error.message };
  }
  agreeOnColumns(fields, columns);
  const again = encodeColumns(columns);
  agree(sameBytes(encodeColumns(decodeColumns(again)), again), 'written again, a history is the same');
  for (const judged of [
    () => checkLinearizability(columns, BUDGET).verdict,
    () => checkDurability(columns, { readsAreDurable: true, budget: BUDGET }).verdict,
    () => checkIsolation(columns, { steps: BUDGET.stepsMax }).levels,
  ]) {
    try {
      judged();
    } catch (error) {
      // A history that cannot be: an id used twice, a return before its call.
      if (!isLightningError(error, 'LIGHTNING_INVALID_ARGUMENT')) throw error;
    }
  }
  return { kind: 'accepted' };
}

/** Operations one after another, each with its accesses; the last one never returns. */
function history(choices: number, ...operations: readonly (readonly Access[])[]): Uint8Array {
  const builder = new ColumnsBuilder();
  operations.forEach((accesses, id) => {
    const last = id === operations.length - 1;
    const times = { call: 2 * id, return: last ? Infinity : 2 * id + 1 };
    const kind = accesses.length === 1 && accesses[0].kind === 'read' ? 'read' : 'transaction';
    builder.begin({ id, client: id % 2, kind, outcome: last ? 'unknown' : 'ok', durability: 'synced', ...times });
    for (const access of accesses) builder.access(access);
  });
  const bytes = encodeColumns(builder.build([{ kind: 'crash', index: 2 * operations.length }]));
  return joinInput(choices, bytes);
}

const read = (key: string, value: string | null): Access => ({ kind: 'read', key, value });
const write = (key: string, value: string | null): Access => ({ kind: 'write', key, value });

/** Fuzz target. */
export const target: DecoderTarget = {
  name: 'history',
  extraBytesMax: 0,
  samples: () =>
    new Map([
      ['registers', history(REPAIR_SUM, [write('a', '1')], [read('a', '1')], [write('b', '2')], [read('b', null)])],
      [
        'transactions',
        history(
          REPAIR_LENGTH | REPAIR_SUM,
          [read('a', null), write('a', '1'), write('b', '2')],
          [read('b', '2'), write('b', null)],
          [{ kind: 'range', from: 'a', to: null, rows: [{ key: 'a', value: '1' }] }],
        ),
      ],
      [
        'lists',
        history(
          REPAIR_LENGTH | REPAIR_SUM,
          [{ kind: 'append', key: 'l', element: '1' }],
          [{ kind: 'list', key: 'l', elements: ['1'] }],
          [{ kind: 'append', key: 'l', element: '2' }],
        ),
      ],
      // Mostly columns of keys and cells.
      [
        'wide',
        history(
          REPAIR_SUM,
          Array.from({ length: 40 }, (_, i) => read(i % 2 === 0 ? 'a' : 'b', null)),
        ),
      ],
      ['as-it-is', history(0, [write('a', '1')], [read('a', '1')])],
    ]),
  check,
};
