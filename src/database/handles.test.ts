import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../base/clock.ts';
import { SimulatedDisk } from '../faults/simulated-disk.ts';
import { Database, type Isolation } from './index.ts';

const key = (text: string): Uint8Array => new TextEncoder().encode(text);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('a snapshot and a scan that are dropped are reported and let go, and what they pinned is collected', async () => {
  const abandoned: string[] = [];
  const steps = new Set<string>();
  await using database = Database.openOn(new SimulatedDisk(), {
    clock: new ManualClock(0),
    onAbandoned: (kind) => abandoned.push(kind),
    observe: (step) => steps.add(step),
  });
  await database.put(key('a'), key('1'));
  await database.put(key('b'), key('1'));
  // A function of its own, so that nothing on the stack keeps them.
  const drop = async (): Promise<void> => {
    database.snapshot();
    await database.scan().next();
    database.scanSync()[Symbol.iterator]().next();
  };
  await drop();
  expect(database.statistics()).toMatchObject({ snapshotCount: 3, openHandles: 3, abandonedHandles: 0 });
  await database.put(key('a'), key('2'));
  await database.compact();
  expect(steps.has('collect')).toBe(false);
  for (let i = 0; i < 200 && abandoned.length < 3; i++) {
    collectGarbage();
    await pause(1);
  }
  expect(abandoned.toSorted()).toEqual(['scan', 'scan', 'snapshot']);
  expect(database.statistics()).toMatchObject({ snapshotCount: 0, openHandles: 0, abandonedHandles: 3 });
  await database.idle();
  expect(steps.has('collect')).toBe(true);
});

test('collection starts by itself when the last snapshot goes', async () => {
  const steps: string[] = [];
  const observe = (step: string): number => steps.push(step);
  await using database = Database.openOn(new SimulatedDisk(), { clock: new ManualClock(0), observe });
  await database.put(key('k'), key('first'));
  const snapshot = database.snapshot();
  for (let i = 0; i < 10; i++) await database.put(key('k'), key(`${i}`));
  await database.compact();
  snapshot.release();
  for (let i = 0; i < 10; i++) await pause(0);
  expect(steps).toContain('collect');
});

test.each(['snapshot', 'serializable'] as const)(
  'property: however the steps of transactions are interleaved, no increment is lost under %s',
  async (isolation: Isolation) => {
    const plans = fc.array(fc.array(fc.constantFrom('x', 'y'), { minLength: 1, maxLength: 3 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), plans, async (scheduler, clients) => {
        const database = Database.openOn(new SimulatedDisk(), { clock: new ManualClock(0), durability: 'none' });
        const made = { x: 0, y: 0 };
        const work = clients.map(async (counters) => {
          for (const counter of counters) {
            const transaction = database.begin({ isolation });
            const value = await scheduler.schedule(transaction.get(key(counter)), `get ${counter}`);
            transaction.put(key(counter), Uint8Array.of((value?.[0] ?? 0) + 1));
            await scheduler.schedule(Promise.resolve(), `before commit ${counter}`);
            await transaction.commit().then(
              () => made[counter]++,
              () => undefined,
            );
          }
        });
        await scheduler.waitFor(Promise.all(work));
        for (const counter of ['x', 'y'] as const) {
          expect(database.getSync(key(counter))?.[0] ?? 0).toBe(made[counter]);
        }
        expect(database.statistics()).toMatchObject({ snapshotCount: 0, transactionCount: 0 });
        await database.close();
      }),
      { numRuns: 100 },
    );
  },
);
