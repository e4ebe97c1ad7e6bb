/** Histories of objects as columns, and an operation of columns as an object again. */
import { ACCESS, ColumnsBuilder, DURABILITY_NAMES, type HistoryColumns, OUTCOME_NAMES, valueOf } from './columns.ts';
import { type Access, type Cell, type History, HISTORY_KINDS, type HistoryOperation } from './history.ts';

/**
 * The columns of a history; columns are themselves. Of an operation that told its accesses these count, otherwise its reads
 * stand before its writes. A swap of unknown outcome that happened found what it expected.
 */
export function columnsOf(history: History | HistoryColumns): HistoryColumns {
  if (!('operations' in history)) return history;
  const builder = new ColumnsBuilder();
  for (const operation of history.operations) {
    builder.begin(operation);
    if (operation.accesses !== undefined) for (const access of operation.accesses) builder.access(access);
    else addEnds(builder, operation);
  }
  return builder.build(history.markers);
}

function addEnds(builder: ColumnsBuilder, operation: HistoryOperation): void {
  for (const { key, value } of operation.reads) {
    const number = builder.keyOf(key);
    builder.add(ACCESS.read, number, builder.cellOf(number, value));
  }
  for (const { key, value } of operation.writes) {
    const number = builder.keyOf(key);
    if (operation.kind === 'cas') {
      const refused = operation.outcome === 'ok' && operation.swapped !== true;
      builder.add(refused ? ACCESS.differs : ACCESS.read, number, builder.cellOf(number, operation.expected ?? null));
      if (refused) continue;
    }
    builder.add(operation.kind === 'append' ? ACCESS.join : ACCESS.write, number, builder.cellOf(number, value));
  }
}

/** Accesses of an operation. Cost: linear in them. */
export function accessesAt(columns: HistoryColumns, place: number): readonly Access[] {
  const accesses: Access[] = [];
  for (let a = columns.first[place]; a < columns.first[place + 1]; a++) {
    const cell = columns.cell[a];
    const what = columns.what[a];
    if (what === ACCESS.range) {
      const { from, to, rows } = columns.ranges[cell];
      accesses.push({ kind: 'range', from, to, rows: Array.from(rows, (row) => cellAt(columns, row)) });
      continue;
    }
    const key = columns.keys.at(columns.key[a]);
    if (what === ACCESS.list) {
      const elements = columns.elements.subarray(columns.listFirst[cell], columns.listFirst[cell + 1]);
      accesses.push({ kind: 'list', key, elements: Array.from(elements, (element) => columns.values.at(element)) });
    } else if (what === ACCESS.append) accesses.push({ kind: 'append', key, element: columns.values.at(cell) });
    else if (what === ACCESS.read) accesses.push({ kind: 'read', key, value: valueOf(columns, cell) });
    else if (what !== ACCESS.differs) accesses.push({ kind: 'write', key, value: valueOf(columns, cell) });
  }
  return accesses;
}

function cellAt(columns: HistoryColumns, cell: number): Cell {
  return { key: columns.keys.at(columns.cellKey[cell]), value: valueOf(columns, cell) };
}

/** One operation as an object; times are not kept in columns. */
export function operationAt(columns: HistoryColumns, place: number): HistoryOperation {
  const accesses = accessesAt(columns, place);
  const kind = HISTORY_KINDS[columns.kind[place]];
  const told = kind === 'transaction' || kind === 'scan';
  const durability = DURABILITY_NAMES[columns.durability[place]];
  const cells = (wanted: 'read' | 'write'): Cell[] =>
    accesses.flatMap((access) => (access.kind === wanted ? [{ key: access.key, value: access.value }] : []));
  const [expected, swapped] = [columns.cell[columns.first[place]], columns.what[columns.first[place]] === ACCESS.read];
  const cas = { expected: kind === 'cas' ? valueOf(columns, expected) : null, swapped };
  const [reads, writes] = [kind === 'cas' ? [] : cells('read'), cells('write')];
  return {
    id: columns.id[place],
    client: columns.client[place],
    kind,
    outcome: OUTCOME_NAMES[columns.outcome[place]],
    reads,
    // What a swap that did not happen would have written is not kept.
    writes,
    call: columns.call[place],
    return: columns.return[place],
    callMilliseconds: columns.call[place],
    returnMilliseconds: columns.return[place] === Infinity ? undefined : columns.return[place],
    ...(told ? { accesses } : {}),
    ...(kind === 'cas' ? cas : {}),
    ...(durability === undefined ? {} : { durability }),
  };
}
