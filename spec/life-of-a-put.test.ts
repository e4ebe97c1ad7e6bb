/** Every function that spec/life-of-a-put.md names is declared in the file that it names, and every file is there. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readPage, ROOT } from './pages.fixture.ts';

const page = readPage('spec/life-of-a-put.md');

interface Mention {
  readonly name: string;
  readonly file: string;
}

/** One or several names, then the file in parentheses or after a comma. */
function mentionsOf(text: string): Mention[] {
  const flat = text.replaceAll(/```[\s\S]*?```/g, '').replaceAll(/\s+/g, ' ');
  const name = '`([A-Za-z.]+)`';
  const pattern = new RegExp(`(?:${name} and )?${name}(?:,| \\()\\s*\`(src/[a-z/0-9-]+\\.ts)\``, 'g');
  return [...flat.matchAll(pattern)].flatMap(([, first, second, file]) =>
    [first, second].filter((found) => found !== undefined).map((found) => ({ name: found, file })),
  );
}

/** Whether a source declares `function`, `Class` or `Class.method`. */
function declares(source: string, name: string): boolean {
  const [owner, method] = name.split('.');
  if (method === undefined) return new RegExp(`^(?:export )?(?:function\\*? |class )${owner}\\b`, 'm').test(source);
  const at = source.search(new RegExp(`^export class ${owner}\\b`, 'm'));
  if (at < 0) return false;
  const end = source.indexOf('\n}\n', at);
  return new RegExp(`^  (?:private )?(?:static )?(?:async )?\\*?${method}\\(`, 'm').test(source.slice(at, end));
}

const mentions = mentionsOf(page);

test('the page names the functions of each step', () => {
  expect(mentions.length).toBeGreaterThan(45);
  const inPage = [...page.matchAll(/src\/[a-z/0-9-]+\.ts/g)].map(([file]) => file);
  expect([...new Set(inPage)].filter((file) => !existsSync(`${ROOT}${file}`))).toEqual([]);
  expect(mentions.length).toBeGreaterThanOrEqual(inPage.length);
});

test('each of them is declared where the page says', () => {
  const missing = mentions.filter(({ name, file }) => !declares(readPage(file), name));
  expect(missing).toEqual([]);
});

test('the check can fail', () => {
  const source = readPage('src/engine/log.ts');
  expect(declares(source, 'freeze')).toBe(true);
  expect(declares(source, 'thaw')).toBe(false);
  expect(declares(readPage('src/engine/store.ts'), 'Store.publish')).toBe(true);
  expect(declares(readPage('src/engine/store.ts'), 'Store.unpublish')).toBe(false);
  expect(declares(readPage('src/engine/store.ts'), 'Shop.publish')).toBe(false);
});
