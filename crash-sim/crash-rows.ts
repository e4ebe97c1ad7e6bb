/** What the client had been promised beside what recovery shows, key by key, as a table. */
import { type CommitRecord, floorOf } from '../spec/executable/durable-prefix.ts';
import { bytesOfKey } from '../spec/executable/keys.ts';
import { applyWrites, type Entry } from '../spec/executable/ordered-map.ts';
import { escapeHtml, shorten } from '../src/report/html.ts';
import type { Knowledge } from '../src/workload/crash-knowledge.ts';
import type { CrashCase } from './crash-case.ts';
import { recover } from './crash-judge.ts';
import type { Leg } from './crash-recording.ts';

const ROWS_MAX = 60;

/** The table. The last argument is what the client knew when the power went for the first time. */
export function drawRows(crashCase: CrashCase, leg: Leg, { commits, time }: Knowledge): string {
  const recovery = recover(leg.left, crashCase.program, crashCase.machine, time.nowEarliest);
  if ('failure' in recovery) return `<p class="wrong">Nothing: ${escapeHtml(recovery.failure.message)}</p>`;
  const promised = stateAfter(commits.slice(0, floorOf(commits)));
  const possible = stateAfter(commits);
  const keys = [...new Set([...promised.keys(), ...possible.keys(), ...recovery.rows.keys()])].sort();
  if (keys.length === 0) return '<p class="soft">No key was written, and none is there.</p>';
  const rows = keys.slice(0, ROWS_MAX).map((key) => {
    const wanted = promised.get(key)?.value;
    const found = recovery.rows.get(key);
    const isPromised = sameBytes(wanted, found);
    const isNewer = !isPromised && sameBytes(possible.get(key)?.value, found);
    const words = isPromised ? 'as promised' : isNewer ? 'newer, allowed' : found === undefined ? 'gone' : 'other';
    return `<tr${isPromised || isNewer ? '' : ' class="here"'}><td class="mono">${shown(bytesOfKey(key))}<td class="mono">${shown(wanted)}<td class="mono">${shown(found)}<td>${words}</tr>`;
  });
  const more = keys.length > ROWS_MAX ? `<p class="soft">${keys.length - ROWS_MAX} more keys.</p>` : '';
  return `<table class="items"><tr><th>key<th>promised when the power went<th>there after recovery<th></tr>${rows.join('')}</table>${more}`;
}

function stateAfter(commits: readonly CommitRecord[]): Map<string, Entry> {
  const state = new Map<string, Entry>();
  for (const { fate, writes } of commits) if (fate !== 'rejected') applyWrites(state, writes);
  return state;
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

function shown(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return '–';
  if (bytes.length === 0) return 'empty';
  const text = Buffer.from(bytes.subarray(0, 24)).toString('latin1');
  const words = /^[\x20-\x7e]+$/.test(text) ? `"${text}"` : `0x${Buffer.from(bytes.subarray(0, 16)).toString('hex')}`;
  return escapeHtml(bytes.length > 16 ? `${shorten(words, 30)} (${bytes.length} bytes)` : words);
}
