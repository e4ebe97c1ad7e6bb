/** Durations as people write them: `90s`, `15m`, `24h`, `7d`, a plain number of seconds. */
import { LightningError } from '../src/base/errors.ts';

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };
/** A year; a timer of Node would not reach further than 24 days, so nothing here is one timer. */
const SECONDS_MAX = 366 * 86_400;

/**
 * Seconds, from more than zero to a year.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT`
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text);
  const seconds = match === null ? NaN : Number(match[1]) * SECONDS[match[2]];
  if (seconds > 0 && seconds <= SECONDS_MAX) return seconds;
  throw new LightningError('LIGHTNING_INVALID_ARGUMENT', 'a duration looks like 90s, 15m, 24h or 7d', { text });
}

/** Seconds as `1 d 3 h`, `2 h 5 min`, `3 min 20 s` or `12 s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}
