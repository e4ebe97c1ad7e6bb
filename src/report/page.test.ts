import { expect, test } from 'vitest';
import { collected, controlResult, evidenceBody } from './fixtures.ts';
import { formatSeconds } from './html.ts';
import { renderPage } from './page.ts';
import { ticks } from './page-figures.ts';
import type { GateReport, StageResult } from './results.ts';

const HOSTILE = `<script>alert("x")</script>' & </style>`;

function stage(change: Partial<StageResult> = {}): StageResult {
  const evidence = {
    ...evidenceBody(),
    counts: { [HOSTILE]: 12_345 },
    situations: { [HOSTILE]: 0 },
    figures: [{ name: HOSTILE, value: 1, unit: HOSTILE }],
    series: [
      {
        name: HOSTILE,
        points: [[0, 1] as [number, number], [5, 2] as [number, number]],
        xLabel: HOSTILE,
        yLabel: HOSTILE,
      },
    ],
    checks: [{ name: HOSTILE, verdict: 'pass' as const, detail: HOSTILE }],
    notTested: [HOSTILE],
    digest: '',
    seal: '',
  };
  return {
    ...collected({ evidence, controls: [controlResult({ name: HOSTILE, story: [HOSTILE] })] }),
    name: 'crash',
    title: HOSTILE,
    question: HOSTILE,
    required: true,
    status: 'judged',
    verdict: 'pass',
    broken: false,
    reasons: [HOSTILE],
    unknownChecks: 0,
    minimums: [{ name: 'cycles', minimum: 100, actual: 0 }],
    seed: 1,
    budgetSeconds: 1,
    durationSeconds: 1,
    replays: [HOSTILE],
    ...change,
  };
}

function report(change: Partial<GateReport> = {}): GateReport {
  return {
    format: 'lightning-db verdict',
    version: 1,
    profile: 'smoke',
    seed: 5,
    startedAt: '2026-01-01T00:00:00.000Z',
    durationSeconds: 3,
    interrupted: false,
    subject: { engine: 'lightning-db', version: '0' },
    runtime: { node: 'v24', platform: 'linux', architecture: 'x64' },
    weaken: undefined,
    withBug: undefined,
    verdict: 'pass',
    exitCode: 0,
    headline: 'PASS (smoke): 1 stage',
    stages: [stage()],
    selfCheck: undefined,
    detection: undefined,
    ...change,
  };
}

test('nothing that a stage says becomes markup', () => {
  const page = renderPage(report());
  expect(page).not.toContain('<script');
  expect(page.match(/<\/style>/g)).toHaveLength(1);
  expect(page.match(/&lt;script&gt;/g)?.length).toBeGreaterThan(10);
});

test('the page needs nothing from anywhere else', () => {
  expect(renderPage(report())).not.toMatch(/<(link|script|img|iframe)|url\(|@import|https?:/);
});

test('the verdict stands first, and unknown, vacuous and broken are never green', () => {
  const big = (change: Partial<GateReport>): string =>
    /<div class="verdict ([^"]*)"/.exec(renderPage(report(change)))?.[1] ?? '';
  expect(big({})).toBe('t-pass');
  expect(big({ verdict: 'fail', exitCode: 1 })).toBe('t-fail');
  expect(big({ verdict: 'vacuous', exitCode: 4 })).toBe('t-vacuous');
  expect(big({ verdict: 'unknown', exitCode: 4 })).toBe('t-unknown');
  expect(big({ verdict: 'unknown', exitCode: 3 })).toBe('t-broken');
  expect(big({ interrupted: true, exitCode: 130 })).toBe('t-unknown');
});

test('a huge stage still makes a small page', () => {
  const counts = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`count ${index}`, index]));
  const points = Array.from({ length: 100_000 }, (_, index): [number, number] => [index, index % 7]);
  const series = Array.from({ length: 30 }, () => ({ name: 's', points, xLabel: 'x', yLabel: 'y' }));
  const evidence = { ...evidenceBody(), counts, series, digest: '', seal: '' };
  const story = Array.from({ length: 100_000 }, () => 'put');
  const controls = [controlResult({ story })];
  expect(renderPage(report({ stages: [stage({ evidence, controls })] })).length).toBeLessThan(300_000);
});

test('ticks are round and cover the range', () => {
  expect(ticks(0, 97)).toEqual([0, 25, 50, 75, 100]);
  expect(ticks(0, 0.9)[0]).toBe(0);
  expect(ticks(5, 5).length).toBeGreaterThan(1);
});

test('durations are rounded before they are split', () => {
  expect(formatSeconds(239.7)).toBe('4 min 00 s');
  expect(formatSeconds(61.2 + 60)).toBe('2 min 01 s');
  expect(formatSeconds(12.34)).toBe('12.3 s');
});
