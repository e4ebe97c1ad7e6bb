import { expect, test } from 'vitest';
import { stripSource } from './build.ts';

test('stripping keeps lines and columns, and turns import suffixes', () => {
  const source = "import { a, type B } from './a.ts';\nexport const c: B = a;\nconst d = 'x.ts';\n";
  const stripped = stripSource(source);
  expect(stripped).toContain("from './a.js'");
  expect(stripped).toContain("'x.ts'");
  expect(stripped.length).toBe(source.length);
  expect(stripped.indexOf('= a;')).toBe(source.indexOf('= a;'));
});
