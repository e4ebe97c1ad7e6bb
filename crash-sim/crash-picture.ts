/**
 * A failing case as one page of HTML that needs nothing else: what the client did above, what the disk did below it, one
 * row a file; syncs as barriers; the power cut as a red line; which writes survived; and every file that came back other
 * than the process had written it, with the first such byte marked.
 */
import { ReplayChooser } from '../src/faults/chooser.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { FaultPlan } from '../src/faults/fault-plan.ts';
import type { IoStep } from '../src/faults/io-steps.ts';
import { isPowerCut } from '../src/faults/power-cut.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { escapeHtml } from '../src/report/html.ts';
import { printOperation } from '../src/workload/print.ts';
import type { CrashCase } from './crash-case.ts';
import { clientOn } from './owed.ts';

/** The last steps before the cut; with them a page stays far below 5 MB. */
const STEPS_SHOWN_MAX = 300;
const FILES_SHOWN_MAX = 40;
const DUMP_LINES = 9;
const DUMP_LINE_BYTES = 16;
const STEP_WIDTH = 30;
const ROW_HEIGHT = 24;
const LABEL_WIDTH = 130;

type Fate = 'survives' | 'lost' | 'torn' | 'sync' | 'names';

interface DrawnStep extends IoStep {
  /** Operations of the client that had begun; 0 while it opens the store. */
  readonly operationsBegun: number;
}

/** The run of a case up to its first cut. */
interface Recording {
  readonly steps: readonly DrawnStep[];
  /** What the process saw when the power went, and what came back. */
  readonly seen: DiskImage;
  readonly left: DiskImage;
  readonly cutStep: number;
}

function record({ program, machine, cuts }: CrashCase): Recording {
  const steps: DrawnStep[] = [];
  const disk: SimulatedDisk = new SimulatedDisk({
    ...machine,
    faults: new FaultPlan(machine.faults),
    observer: (step) => steps.push({ ...step, operationsBegun: client.operationsBegun }),
  });
  const client = clientOn(disk, program);
  const [cut] = cuts;
  if (cut !== undefined) disk.cutAtStep(cut.step, 'before');
  try {
    client.run();
  } catch (error) {
    if (!isPowerCut(error)) throw error;
  }
  const seen = disk.currentImage();
  const left = cut === undefined ? seen : disk.crashImage(new ReplayChooser(cut.choices));
  const done = cut === undefined ? steps : steps.filter((step) => step.number < cut.step);
  return { steps: done, seen, left, cutStep: cut?.step ?? steps.length + 1 };
}

/** What became of a step, as far as later steps have not written over it. */
function fateOf(step: IoStep, { seen, left }: Recording): Fate {
  if (step.operation === 'sync' || step.operation === 'syncDirectory') return 'sync';
  if (step.operation !== 'write') return 'names';
  const before = seen.get(step.path);
  const after = left.get(step.path);
  if (before === undefined) return 'names';
  if (after === undefined) return 'lost';
  let kept = 0;
  let missing = 0;
  for (let i = step.position; i < Math.min(step.position + step.lengthBytes, before.length); i++) {
    if (i >= after.length || before[i] !== after[i]) missing++;
    // A zero proves nothing: it is also what a hole shows.
    else if (before[i] !== 0) kept++;
  }
  if (missing === 0) return 'survives';
  return kept > 0 ? 'torn' : 'lost';
}

/** The page. `message` says what recovery made of it. */
export function drawCrash(crashCase: CrashCase, failureClass: string, message: string): string {
  const recording = record(crashCase);
  const title = `${failureClass}: ${message}`;
  const { machine, cuts } = crashCase;
  const again = cuts.slice(1).map((cut) => `<p>The power goes again before step ${cut.step} of the recovery.</p>`);
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8">',
    `<title>${escapeHtml(failureClass)}</title><style>${STYLE}</style>`,
    `<h1>${escapeHtml(title)}</h1>`,
    `<p>${machine.directoryModel} names, writes tear at ${machine.tearBytes} bytes, ${machine.faults.length} planned faults. `,
    '<b class="survives">survives</b> <b class="torn">torn</b> <b class="lost">lost</b> <b class="sync">sync</b> <b class="names">names</b></p>',
    `<div class="lanes">${lanes(crashCase, recording)}</div>`,
    ...again,
    `<h2>What came back</h2>${files(recording)}`,
  ].join('\n');
}

function lanes({ program }: CrashCase, recording: Recording): string {
  const steps = recording.steps.slice(-STEPS_SHOWN_MAX);
  const first = steps[0]?.number ?? 1;
  const x = (number: number): number => LABEL_WIDTH + (number - first) * STEP_WIDTH;
  const paths = [...new Set(steps.map(({ path }) => path))].slice(0, FILES_SHOWN_MAX);
  const top = 2 * ROW_HEIGHT;
  const height = top + (paths.length + 1) * ROW_HEIGHT;
  const width = x(recording.cutStep) + 220;
  const parts: string[] = [];
  const text = (at: number, y: number, words: string, kind = ''): void =>
    void parts.push(`<text x="${at}" y="${y}" class="${kind}">${escapeHtml(words)}</text>`);
  for (let begun = 0; begun <= program.operations.length; begun++) {
    const own = steps.filter((step) => step.operationsBegun === begun);
    if (own.length === 0) continue;
    const start = x(own[0].number);
    const end = x(own[own.length - 1].number) + STEP_WIDTH - 2;
    const words = begun === 0 ? 'open' : printOperation(program.operations[begun - 1]);
    parts.push(`<svg x="${start}" y="2" width="${end - start}" height="20"><title>${escapeHtml(words)}</title>`);
    parts.push(
      `<rect width="100%" height="20" rx="3" class="client"/><text x="4" y="14">${escapeHtml(words)}</text></svg>`,
    );
  }
  text(4, 16, 'client', 'label');
  paths.forEach((path, row) => text(4, top + row * ROW_HEIGHT + 15, path || '(folder)', 'label'));
  for (const step of steps) {
    const row = paths.indexOf(step.path);
    if (row < 0) continue;
    const fate = fateOf(step, recording);
    const y = top + row * ROW_HEIGHT;
    const where = step.lengthBytes > 0 ? ` ${step.lengthBytes} bytes at ${step.position}` : '';
    const words = `step ${step.number}: ${step.operation} ${step.path}${where}, ${fate}`;
    const bar = fate === 'sync' ? `width="5" x="${x(step.number) + 11}"` : `width="26" x="${x(step.number)}"`;
    parts.push(`<rect ${bar} y="${y}" height="20" rx="2" class="${fate}"><title>${escapeHtml(words)}</title></rect>`);
    if (fate !== 'sync') text(x(step.number) + 3, y + 14, step.operation.slice(0, 4), 'small');
  }
  const front = x(recording.cutStep);
  parts.push(`<line x1="${front}" x2="${front}" y1="0" y2="${height}" class="front"/>`);
  text(front + 6, 16, `power cut before step ${recording.cutStep}`, 'cut');
  return `<svg width="${width}" height="${height}" xmlns="http://www.w3.org/2000/svg">${parts.join('')}</svg>`;
}

function files({ seen, left }: Recording): string {
  const paths = [...new Set([...seen.paths(), ...left.paths()])].sort().slice(0, FILES_SHOWN_MAX);
  return paths.map((path) => `<h3>${escapeHtml(path)}</h3>${fileText(seen.get(path), left.get(path))}`).join('\n');
}

function fileText(before: Uint8Array | undefined, after: Uint8Array | undefined): string {
  if (after === undefined) return `<p>It is gone; the process saw ${before?.length ?? 0} bytes.</p>`;
  if (before === undefined) return `<p>It is back, with ${after.length} bytes; the process had removed it.</p>`;
  let first = 0;
  while (first < before.length && first < after.length && before[first] === after[first]) first++;
  if (first === before.length && first === after.length)
    return `<p>${after.length} bytes, as the process saw them.</p>`;
  const words = `<p>${after.length} bytes, the process saw ${before.length}. The first other byte is at ${first}.</p>`;
  return `${words}<table><tr><th>came back<th>the process saw<tr><td>${dump(after, first)}<td>${dump(before, first)}</table>`;
}

function dump(bytes: Uint8Array, mark: number): string {
  const start = Math.max(0, Math.floor(mark / DUMP_LINE_BYTES) - Math.floor(DUMP_LINES / 2)) * DUMP_LINE_BYTES;
  const lines: string[] = [];
  for (let at = start; at < start + DUMP_LINES * DUMP_LINE_BYTES && at < bytes.length; at += DUMP_LINE_BYTES) {
    const row = [...bytes.subarray(at, at + DUMP_LINE_BYTES)];
    const hex = row.map((byte, i) => {
      const digits = byte.toString(16).padStart(2, '0');
      return at + i === mark ? `<mark>${digits}</mark>` : digits;
    });
    const plain = row.map((byte) => (byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${String(at).padStart(7)}  ${hex.join(' ')}  ${escapeHtml(plain)}`);
  }
  if (mark >= bytes.length) lines.push(`${String(bytes.length).padStart(7)}  <mark>end of the file</mark>`);
  return `<pre>${lines.join('\n')}</pre>`;
}

const STYLE = `
body{font:14px system-ui,sans-serif;margin:24px;color:#222;background:#fff}h1{font-size:18px}h2{font-size:16px}h3{font-size:14px;margin:12px 0 2px}
p{margin:2px 0}.lanes{overflow-x:auto;border:1px solid #ccc;padding:8px;margin:12px 0}svg text{font:11px system-ui,sans-serif;fill:#222}
svg .small{font-size:9px}svg .label{font-weight:600}svg .cut{fill:#c00;font-weight:600}.client{fill:#dde6f5;stroke:#7a93c0}
.survives{fill:#9fd49f;background:#9fd49f}.lost{fill:#f3a6a6;background:#f3a6a6}.torn{fill:#f5cf7a;background:#f5cf7a}
.sync{fill:#334;background:#334}.names{fill:#d7d7d7;background:#d7d7d7}b{padding:0 6px;font-weight:400}b.sync{color:#fff}
.front{stroke:#c00;stroke-width:2}pre{margin:0;font:12px ui-monospace,monospace}mark{background:#f33;color:#fff}td,th{padding:4px 16px 4px 0;text-align:left;vertical-align:top}`;
