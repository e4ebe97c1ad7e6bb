/** What an operation of a program changes, in the specification's own terms. */
import { decodeBytes } from '../../src/contract/bytes-text.ts';
import type { BatchOperation, Operation } from '../../src/contract/operations.ts';
import { keyOfText, rangeOf } from './keys.ts';
import { NEVER, type Write } from './ordered-map.ts';

type WritingOperation = BatchOperation | Extract<Operation, { kind: 'txPut' | 'txDelete' | 'txClear' }>;

/** What an operation changes. */
export function writeOf(operation: WritingOperation): Write {
  switch (operation.kind) {
    case 'put':
    case 'txPut':
      return {
        kind: 'put',
        key: keyOfText(operation.key),
        value: decodeBytes(operation.value),
        deadline: operation.deadline ?? NEVER,
      };
    case 'delete':
    case 'txDelete':
      return { kind: 'delete', key: keyOfText(operation.key) };
    case 'clear':
    case 'txClear':
      return { kind: 'clear', range: rangeOf(operation.range) };
  }
}
