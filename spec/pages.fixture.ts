/** How tests read the pages of the specification. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of the whole project, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('../', import.meta.url));

/** The text of a file, by its path from the root of the project. */
export function readPage(path: string): string {
  return readFileSync(`${ROOT}${path}`, 'utf8');
}

/** The body rows of the table whose header has exactly these cells. */
export function tableRows(page: string, header: readonly string[]): string[][] {
  const lines = page.split('\n');
  const cells = (line: string): string[] =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
  const at = lines.findIndex((line) => line.startsWith('|') && cells(line).join('|') === header.join('|'));
  if (at < 0) throw new Error(`no table ${header.join(' | ')}`);
  const rows: string[][] = [];
  for (let i = at + 2; lines[i]?.startsWith('|') === true; i++) rows.push(cells(lines[i]));
  return rows;
}

/** The contents of the fenced blocks of one language. */
export function fencedBlocks(page: string, language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map((match) => match[1]);
}

/** The bytes of a hex block; what follows them on a line is comment. */
export function hexBytes(block: string): Uint8Array {
  const lines = block.split('\n').map((line) => /^(?:[0-9a-f]{2} {1,2})*(?:[0-9a-f]{2}(?= |$))?/.exec(line)?.[0] ?? '');
  return new Uint8Array(Buffer.from(lines.join('').replaceAll(' ', ''), 'hex'));
}
