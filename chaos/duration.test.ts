/** Durations of the command line. */
import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

test.each([
  ['90s', 90],
  ['15m', 900],
  ['24h', 86_400],
  ['7d', 604_800],
  ['12', 12],
  ['1.5h', 5400],
])('%s is %d seconds', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds);
});

test.each(['', '0', '0s', '-5s', '5 h', 'h', '1e3', '24hours', 'NaN', 'Infinity', '367d'])('%j is refused', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'LIGHTNING_INVALID_ARGUMENT' }));
});

test('seconds in words', () => {
  expect(formatDuration(0)).toBe('0 s');
  expect(formatDuration(12.4)).toBe('12 s');
  expect(formatDuration(200)).toBe('3 min 20 s');
  expect(formatDuration(86_400)).toBe('1 d');
  expect(formatDuration(97_200)).toBe('1 d 3 h');
});
