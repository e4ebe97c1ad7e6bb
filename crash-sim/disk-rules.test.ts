/** The rules hold; that each is missed when it is taken away is what the `weakness-` files of the catalogue are for. */
import { expect, test } from 'vitest';
import { DIRECTORY_MODELS } from '../src/faults/names.ts';
import { checkDiskRules } from './disk-rules.ts';

test('the disk keeps every rule in every model of names', () => {
  const { count, broken } = checkDiskRules();
  expect(broken).toEqual([]);
  expect(count).toBeGreaterThan(DIRECTORY_MODELS.length * 7);
});
