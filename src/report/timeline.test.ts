import { describe, expect, test } from 'vitest';
import { checkLinearizability, checkDurability } from '../checkers/index.ts';
import type { History, HistoryOperation } from '../history/history.ts';
import { renderTimeline, TIMELINE_OPERATIONS_MAX } from './timeline.ts';

const times = { callMilliseconds: 0, returnMilliseconds: 0 };
const write = (id: number, value: string): HistoryOperation => ({
  ...{ id, client: id % 3, kind: 'write', reads: [], writes: [{ key: 'k', value }], outcome: 'ok', ...times },
  ...{ call: 2 * id, return: 2 * id + 1 },
});
const read = (id: number, value: string | null): HistoryOperation => ({
  ...{ id, client: id % 3, kind: 'read', reads: [{ key: 'k', value }], writes: [], outcome: 'ok', ...times },
  ...{ call: 2 * id, return: 2 * id + 1 },
});

describe('timeline', () => {
  test('a long history gives a small page with the violating window in it', () => {
    const operations = Array.from({ length: 20_000 }, (_, id) => write(id, `v${id}`));
    operations.push(read(20_000, 'v19990'));
    const history: History = { operations, markers: [] };
    const page = renderTimeline(history, checkLinearizability(history), { title: 'long' });
    expect(page.length).toBeLessThan(400_000);
    expect(page).toContain('id="o19990"');
    expect(page).toContain('not-linearizable');
    // The drawing keeps its size, and the sheet around it scrolls.
    const [, width, height] = /<svg width="(\d+)" height="(\d+)" viewBox="0 0 \1 \2"/.exec(page) ?? [];
    expect(Number(width)).toBeGreaterThan(300);
    expect(Number(height)).toBe(3 * 34 + 24);
    expect(page).toContain('.sheet svg{display:block;max-width:none');
    expect(page.match(/<rect /g)?.length).toBeLessThanOrEqual(TIMELINE_OPERATIONS_MAX);
    expect(renderTimeline(history, checkLinearizability(history), { title: 'x', whole: true })).toContain('id="o0"');
  });

  test('what a history holds is text, whatever it looks like; nothing is fetched', () => {
    const history: History = { operations: [read(0, '<script>alert(1)</script>"')], markers: [] };
    const page = renderTimeline(history, checkLinearizability(history), { title: '</title><b>' });
    expect(page).not.toContain('<script>alert');
    expect(page).not.toContain('</title><b>');
    expect(page).not.toMatch(/src=|https?:/);
  });

  test('crashes stand between the operations, and the first error can be jumped to', () => {
    const synced = { ...write(0, 'a'), durability: 'synced' } as const;
    const history: History = {
      operations: [synced, read(3, null)],
      markers: [
        { kind: 'crash', index: 2 },
        { kind: 'reopen', index: 3 },
      ],
    };
    const verdict = checkDurability(history);
    expect(verdict).toMatchObject({ verdict: 'invalid', class: 'not-durable' });
    const page = renderTimeline(history, verdict, { title: 'lost' });
    expect(page).toContain('class="crash"');
    expect(page).toMatch(/class="[^"]*first"/);
  });
});
