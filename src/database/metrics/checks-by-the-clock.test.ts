/** Checks by the clock, on a clock that the test moves. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Database } from '../database.ts';
import { checkByTheClock, type Every } from './checks-by-the-clock.ts';

/** Timers that move only when told to, the earlier first. */
class Timetable {
  private now = 0;
  private readonly entries = new Set<{ readonly every: number; next: number; readonly call: () => void }>();

  readonly every: Every = (milliseconds, call) => {
    const entry = { every: milliseconds, next: this.now + milliseconds, call };
    this.entries.add(entry);
    return () => void this.entries.delete(entry);
  };

  async advance(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      const due = [...this.entries].filter(({ next }) => next <= end).sort((a, b) => a.next - b.next);
      if (due.length === 0) break;
      this.now = due[0].next;
      due[0].next += due[0].every;
      due[0].call();
      // A scrub takes some turns.
      const turns = due[0].every > 60_000 ? 200 : 1;
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    }
    this.now = end;
  }
}

test('health each half minute, integrity each hour: good, then damaged, then closed, then no more', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'lightning-clock-'));
  const told: string[] = [];
  const bad: string[] = [];
  const count = (check: string): number => told.filter((one) => one === check).length;
  try {
    const database = Database.openSync(directory, { durability: 'none' });
    for (let i = 0; i < 200; i++) database.putSync(new TextEncoder().encode(`key ${i}`), new Uint8Array(200));
    await database.compact();
    const timetable = new Timetable();
    const stop = checkByTheClock(database, timetable.every, (check, isGood, fields) => {
      told.push(`${check} ${isGood ? 'good' : 'bad'}`);
      if (check === 'integrity' && !isGood) bad.push(JSON.stringify(fields));
    });
    await timetable.advance(29_999);
    expect(told).toEqual([]);
    await timetable.advance(1);
    expect(told).toEqual(['health good']);
    await timetable.advance(3_600_000 - 30_001);
    expect([count('health good'), count('integrity good')]).toEqual([119, 0]);
    await timetable.advance(1);
    expect([count('health good'), count('integrity good')]).toEqual([120, 1]);

    const tree = join(directory, 'tree.db');
    const content = readFileSync(tree);
    content.fill(0x55, 0, content.length);
    writeFileSync(tree, content);
    await timetable.advance(3_600_000);
    expect([count('integrity good'), count('integrity bad')]).toEqual([1, 1]);

    await database.close();
    await timetable.advance(3_600_000);
    expect([count('health bad'), count('integrity bad')]).toEqual([120, 2]);
    expect(bad).toEqual([expect.stringContaining('tree.db'), expect.stringContaining('LIGHTNING_CLOSED')]);
    const { length } = told;
    stop();
    await timetable.advance(7_200_000);
    expect(told).toHaveLength(length);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('a backup each day, on top of the last one, and a bad one is told', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'lightning-daily-'));
  try {
    await using database = Database.openSync(join(directory, 'store'), { durability: 'none' });
    database.putSync(new TextEncoder().encode('a'), new Uint8Array(10));
    const timetable = new Timetable();
    const told: unknown[] = [];
    const folder = join(directory, 'backups');
    const stop = checkByTheClock(
      database,
      timetable.every,
      (check, isGood, fields) => {
        if (check === 'backup') told.push([isGood, fields['number'] ?? fields['code'], fields['parent']]);
      },
      folder,
    );
    await timetable.advance(2 * 86_400_000);
    // A backup waits for the disk, which no timetable moves.
    while (told.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'in the way');
    await timetable.advance(86_400_000);
    while (told.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    stop();
    expect(told).toEqual([
      [true, 1, 0],
      [true, 2, 1],
      [false, 'LIGHTNING_NOT_A_STORE', undefined],
    ]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
