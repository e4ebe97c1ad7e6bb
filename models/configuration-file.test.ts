import { expect, test } from 'vitest';
import { parseConfigurationFile } from './configuration-file.ts';

test('reads sections over several lines and on one, in order', () => {
  const parsed = parseConfigurationFile(
    '\\* Head.\n\\* Second.\nSPECIFICATION Spec\nCONSTANT N = 3\nCONSTANTS\n  Keys = {"a", "b"} \\* remark\nINVARIANT A B\nINVARIANTS\n  C\nPROPERTIES P\n',
  );
  expect(parsed.heading).toEqual(['Head.', 'Second.']);
  expect(parsed.specification).toBe('Spec');
  expect(parsed.invariants).toEqual(['A', 'B', 'C']);
  expect(parsed.properties).toEqual(['P']);
  expect([...parsed.constants]).toEqual([
    ['N', '3'],
    ['Keys', '{"a", "b"}'],
  ]);
  expect(parsed.unknownSections).toEqual([]);
});

test('names what it does not understand', () => {
  const parsed = parseConfigurationFile('SPECIFICATION Spec\nACTION_CONSTRAINT Bound\nVIEW v\nCONSTANTS\n  N <- M\n');
  expect(parsed.unknownSections).toEqual(['ACTION_CONSTRAINT', 'VIEW', '<-']);
});
