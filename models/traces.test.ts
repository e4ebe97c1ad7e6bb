import { expect, test } from 'vitest';
import { traceRun } from './trace-run.ts';
import { corrupted, dropped, swapped } from './trace-tamper.ts';
import { acceptsVariant, validateTrace } from './trace-validate.ts';

const run = traceRun({ seed: 1, acts: 30, crashes: false });
const mvcc = { model: 'MVCC' } as const;
const wal = { model: 'WALRecovery', segments: run.wal.segmentNumbers, first: run.wal.first } as const;

test('a run of the engine is a behaviour of both models', async () => {
  expect(run.error).toBeUndefined();
  expect(run.mvcc.events.length).toBeGreaterThan(20);
  expect(await validateTrace(mvcc, run.mvcc.events)).toEqual({ verdict: 'accepted' });
  expect(await validateTrace(wal, run.wal.events)).toEqual({ verdict: 'accepted' });
}, 60_000);

test('with any event dropped, two neighbours swapped or a logged value changed it is none', async () => {
  const events = run.wal.events.slice(0, 25);
  const segments = wal.segments.flatMap((segment) => [segment, segment + 1]);
  const setting = { ...wal, segments: [...new Set(segments)] };
  const variants = [...dropped(events), ...swapped(events), ...corrupted(events)];
  expect(variants.length).toBeGreaterThan(3 * events.length);
  expect(await acceptsVariant(setting, events, variants)).toBe(false);
  // The same question can be answered with yes.
  expect(await acceptsVariant(setting, events, [{ from: 1, events: [events[0]], resume: 2 }])).toBe(true);
}, 60_000);

test('an acknowledgement before its fsync is refused where it stands', async () => {
  const events = run.wal.events.filter(({ action }) => !action.startsWith('Sync'));
  const renumbered = events.map((event, index) => ({ ...event, n: index + 1 }));
  const at = renumbered.findIndex(({ action }) => action === 'Acknowledge') + 1;
  expect(await validateTrace(wal, renumbered)).toMatchObject({ verdict: 'rejected', at });
}, 60_000);

test('a wrong answer is refused where it stands', async () => {
  const index = run.mvcc.events.findIndex(({ action }) => action === 'Read' || action === 'Publish');
  const wrong = run.mvcc.events.map((event, place) =>
    place === index ? { ...event, answers: [{ k: 'a', present: true, s: 0, now: 0, seq: 999 }] } : event,
  );
  expect(await validateTrace(mvcc, wrong)).toMatchObject({ verdict: 'rejected', at: index + 1 });
}, 60_000);
