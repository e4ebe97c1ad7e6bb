/** Plainer forms of what a program is made of: candidates for the shrinker, the biggest step first. */
import { type BytesText, lengthOfText } from '../contract/bytes-text.ts';
import type { BatchOperation, KeyRange, OpenOptions, Operation } from '../contract/operations.ts';
import { STORE_KNOBS } from './store-options.ts';

const RANGE_FIELDS = ['gte', 'gt', 'lte', 'lt', 'prefix'] as const;

/** Changes to the options: all gone, one gone, one at its plainest value. */
export function plainerOptions(options: OpenOptions): ((from: OpenOptions) => OpenOptions)[] {
  const changes: ((from: OpenOptions) => OpenOptions)[] = [() => ({})];
  for (const name of Object.keys(options)) {
    changes.push((from) => Object.fromEntries(Object.entries(from).filter(([other]) => other !== name)));
    const plainest = STORE_KNOBS[name]?.[0];
    if (plainest !== undefined) {
      changes.push((from) => (Object.hasOwn(from, name) ? { ...from, [name]: plainest } : from));
    }
  }
  return changes;
}

function mapRange(range: KeyRange, change: (key: BytesText) => BytesText): KeyRange {
  const mapped: Record<string, unknown> = { ...range };
  for (const field of RANGE_FIELDS) {
    const bound = range[field];
    if (bound !== undefined && field !== 'prefix') mapped[field] = change(bound);
  }
  return mapped;
}

function mapStep(step: BatchOperation, change: (key: BytesText) => BytesText): BatchOperation {
  if (step.kind === 'clear') return { ...step, range: mapRange(step.range, change) };
  return { ...step, key: change(step.key) };
}

/** An operation with every key replaced; prefixes stay. */
function mapKeys(operation: Operation, change: (key: BytesText) => BytesText): Operation {
  if (operation.kind === 'batch') {
    return { ...operation, operations: operation.operations.map((step) => mapStep(step, change)) };
  }
  if ('key' in operation) return { ...operation, key: change(operation.key) };
  if ('range' in operation) return { ...operation, range: mapRange(operation.range, change) };
  return operation;
}

/** Renamings of keys through the whole program, so that what met still meets: all in order, then each alone. */
export function plainerKeys(
  operations: readonly Operation[],
): ((from: readonly Operation[]) => readonly Operation[])[] {
  const keys = new Map<string, BytesText>();
  for (const operation of operations) {
    mapKeys(operation, (key) => {
      keys.set(JSON.stringify(key), key);
      return key;
    });
  }
  const bytesOf = (text: BytesText): string =>
    typeof text === 'string' ? text : text.repeat.repeat(2).slice(0, 2 * Math.min(8, text.length));
  const ordered = [...keys.entries()].sort(([, a], [, b]) => (bytesOf(a) < bytesOf(b) ? -1 : 1));
  if (ordered.length > 20) return [];
  const names = new Map(ordered.map(([text], i) => [text, (0x61 + i).toString(16)]));
  const rename =
    (replaced: (text: string) => BytesText | undefined) =>
    (from: readonly Operation[]): readonly Operation[] =>
      from.map((operation) => mapKeys(operation, (key) => replaced(JSON.stringify(key)) ?? key));
  const changes = [rename((text) => names.get(text))];
  for (const [text, key] of ordered) {
    const name = names.get(text);
    if (name !== undefined && name !== key && !keys.has(JSON.stringify(name))) {
      changes.push(rename((other) => (other === text ? name : undefined)));
    }
    if (typeof key !== 'string' && key.length > 2) {
      for (const length of [256, 300, 4096]) {
        if (length < key.length) changes.push(rename((other) => (other === text ? { ...key, length } : undefined)));
      }
    }
  }
  return changes;
}

function plainerValues(value: BytesText): BytesText[] {
  const candidates: BytesText[] = lengthOfText(value) > 0 ? ['', '01'] : [];
  if (typeof value !== 'string') {
    for (const length of [16, 64, 256, 1024, 4096, 65_536, Math.floor(value.length / 2)]) {
      if (length < value.length) candidates.push({ repeat: '61', length });
    }
    if (value.repeat !== '61') candidates.push({ repeat: '61', length: value.length });
  }
  return candidates.filter((candidate) => lengthOfText(candidate) <= lengthOfText(value) && value !== '01');
}

function plainerRanges<R extends KeyRange & { reverse?: boolean; limit?: number }>(range: R): R[] {
  return Object.keys(range).map((name) => {
    const plainer = { ...range };
    delete plainer[name as keyof R];
    return plainer;
  });
}

/** Drops one optional field. */
function dropped<T extends Operation | BatchOperation>(operation: T, name: string): T[] {
  if (!Object.hasOwn(operation, name)) return [];
  return [Object.fromEntries(Object.entries(operation).filter(([other]) => other !== name)) as T];
}

function plainerSteps(steps: readonly BatchOperation[]): (readonly BatchOperation[])[] {
  const candidates: (readonly BatchOperation[])[] = steps.map((_, at) => steps.toSpliced(at, 1));
  steps.forEach((step, at) => {
    const plainer: BatchOperation[] = [...dropped(step, 'deadline')];
    if (step.kind === 'put') plainer.push(...plainerValues(step.value).map((value) => ({ ...step, value })));
    if (step.kind === 'clear') plainer.push(...plainerRanges(step.range).map((range) => ({ ...step, range })));
    candidates.push(...plainer.map((one) => steps.with(at, one)));
  });
  return candidates;
}

/** Plainer forms of one operation. Each is smaller by a measure that cannot grow, so trying them ends. */
export function plainerOperations(operation: Operation): Operation[] {
  const candidates: Operation[] = [...dropped(operation, 'sync'), ...dropped(operation, 'deadline')];
  if (operation.kind === 'batch') {
    if (operation.operations.length === 1) candidates.push({ ...operation.operations[0] });
    candidates.push(...plainerSteps(operation.operations).map((operations) => ({ ...operation, operations })));
  }
  if (operation.kind === 'put' || operation.kind === 'txPut') {
    candidates.push(...plainerValues(operation.value).map((value) => ({ ...operation, value })));
  }
  if (operation.kind === 'clear' || operation.kind === 'txClear') {
    candidates.push(...plainerRanges(operation.range).map((range) => ({ ...operation, range })));
  }
  if (operation.kind === 'scan')
    candidates.push(...plainerRanges(operation.range).map((range) => ({ ...operation, range })));
  if (operation.kind === 'snapshotScan' || operation.kind === 'txScan') {
    candidates.push(...plainerRanges(operation.range).map((range) => ({ ...operation, range })));
  }
  if (operation.kind === 'begin' && operation.isolation !== 'snapshot') {
    candidates.push({ ...operation, isolation: 'snapshot' });
  }
  return candidates;
}
