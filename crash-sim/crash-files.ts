/**
 * The files that a power cut left, decoded: records, pages, fields, as far as they can be read, with the first wrong byte
 * marked. Wrong is what the engine complains of, or else what differs from what the process had seen.
 */
import { dumperByName, manifestIn } from '../src/database/dump/dump-file.ts';
import { DAMAGE, type DumpItem, type DumpValue } from '../src/database/dump/item.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { escapeHtml, shorten } from '../src/report/html.ts';
import { firstDifference } from './crash-lanes.ts';
import type { Leg } from './crash-recording.ts';

const FILES_MAX = 40;
const ITEMS_MAX = 60;
const VALUE_MAX = 40;
const DUMP_LINES = 9;
const LINE_BYTES = 16;

/** Every file of a leg's end. @param message what the failure says; a place that it names is marked */
export function drawFiles({ seen, left }: Leg, message: string): string {
  const paths = [...new Set([...seen.paths(), ...left.paths()])].sort();
  // Where no byte is other than it was, the log and the manifest are what there is to look at.
  const isWhole = paths.every((path) => wrongIn(path, seen, left, message) === undefined);
  const shown = paths.slice(0, FILES_MAX).map((path) => drawFile(path, seen, left, message, isWhole));
  const more = paths.length > FILES_MAX ? `<p class="soft">${paths.length - FILES_MAX} more files.</p>` : '';
  return shown.join('\n') + more;
}

/** The first wrong byte of a file; of one that is gone, the first. */
function wrongIn(path: string, seen: DiskImage, left: DiskImage, message: string): number | undefined {
  const before = seen.get(path);
  const after = left.get(path);
  if (before === undefined || after === undefined) return after === undefined ? 0 : placeIn(message, path);
  return placeIn(message, path) ?? firstDifference(before, after);
}

function drawFile(path: string, seen: DiskImage, left: DiskImage, message: string, isOpen: boolean): string {
  const before = seen.get(path);
  const after = left.get(path);
  const title = `<h3 class="path">${escapeHtml(path)}</h3>`;
  if (after === undefined)
    return `${title}<p class="wrong">It is gone; the process saw ${before?.length ?? 0} bytes.</p>`;
  const differs = before === undefined ? undefined : firstDifference(before, after);
  const named = placeIn(message, path);
  const wrong = wrongIn(path, seen, left, message);
  const words = [
    before === undefined
      ? `It is back, with ${after.length} bytes; the process had removed it.`
      : differs === undefined
        ? `${after.length} bytes, as the process saw them.`
        : `${after.length} bytes, the process saw ${before.length}; the first other byte is at ${differs}.`,
    ...(named === undefined ? [] : [`The engine complains of offset ${named}.`]),
  ];
  const decoded = drawItems(path, left, wrong);
  const told = `<p${wrong === undefined ? ' class="soft"' : ''}>${words.join(' ')}</p>`;
  if (after.length === 0 && wrong === undefined) return title + told;
  if (wrong === undefined)
    return `${title}${told}<details${isOpen ? ' open' : ''}><summary>decoded</summary>${decoded}</details>`;
  const side =
    before === undefined || differs === undefined ? '' : `<div><h4>the process saw</h4>${dump(before, wrong)}</div>`;
  return `${title}${told}${decoded}<div class="bytes"><div><h4>came back</h4>${dump(after, wrong)}</div>${side}</div>`;
}

/** The offset that a message names in a file. */
export function placeIn(message: string, path: string): number | undefined {
  const at = message.indexOf(`${path} at offset `);
  const digits = at < 0 ? undefined : /^\d+/.exec(message.slice(at + path.length + ' at offset '.length));
  return digits === undefined || digits === null ? undefined : Number(digits[0]);
}

function itemsOf(path: string, image: DiskImage): DumpItem[] | string {
  const disk = new SimulatedDisk({ image: image.clone() });
  try {
    return [...(dumperByName(path)?.({ vfs: disk, name: path, path, manifest: manifestIn(disk) }) ?? [])];
  } catch (error) {
    return `it cannot be decoded: ${String(error)}`;
  }
}

function drawItems(path: string, image: DiskImage, wrong: number | undefined): string {
  const items = itemsOf(path, image);
  if (typeof items === 'string') return `<p class="wrong">${escapeHtml(items)}</p>`;
  if (items.length === 0) return '<p class="soft">There is nothing in it to decode.</p>';
  const around =
    wrong === undefined ? -1 : items.findLastIndex(({ offset }) => offset !== undefined && offset <= wrong);
  const from = Math.max(0, Math.min(around - ITEMS_MAX / 2, items.length - ITEMS_MAX));
  const rows = items.slice(from, from + ITEMS_MAX).map((item, i) => drawItem(item, from + i === around));
  const left = items.length - rows.length;
  const more = left > 0 ? `<p class="soft">${left} more items.</p>` : '';
  return `<table class="items"><tr><th class="number">offset<th>what<th>fields</tr>${rows.join('')}</table>${more}`;
}

function drawItem({ offset, what, fields }: DumpItem, isWrong: boolean): string {
  const shown = Object.entries(fields).map(
    ([name, value]) => `<span class="field">${escapeHtml(name)} <b>${escapeHtml(showValue(value))}</b></span>`,
  );
  const kind = what === DAMAGE ? 'damage' : isWrong ? 'here' : '';
  return `<tr class="${kind}"><td class="number">${offset ?? ''}<td>${escapeHtml(what)}<td>${shown.join(' ')}</tr>`;
}

function showValue(value: DumpValue): string {
  if (!(value instanceof Uint8Array)) return shorten(String(value), 80);
  const text = Buffer.from(value.subarray(0, VALUE_MAX)).toString('latin1');
  const plain = /^[\x20-\x7e]*$/.test(text) ? `"${text}"` : `0x${Buffer.from(value.subarray(0, 16)).toString('hex')}`;
  const whole = plain.startsWith('"') ? VALUE_MAX : 16;
  return value.length > whole ? `${plain}… (${value.length} bytes)` : plain;
}

function dump(bytes: Uint8Array, mark: number): string {
  const start = Math.max(0, Math.floor(mark / LINE_BYTES) - Math.floor(DUMP_LINES / 2)) * LINE_BYTES;
  const lines: string[] = [];
  for (let at = start; at < start + DUMP_LINES * LINE_BYTES && at < bytes.length; at += LINE_BYTES) {
    const row = [...bytes.subarray(at, at + LINE_BYTES)];
    const hex = row.map((byte, i) => {
      const digits = byte.toString(16).padStart(2, '0');
      return at + i === mark ? `<mark>${digits}</mark>` : digits;
    });
    const plain = row.map((byte) => (byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    const space = '   '.repeat(LINE_BYTES - row.length);
    lines.push(`<i>${String(at).padStart(6)}</i>  ${hex.join(' ')}${space}  ${escapeHtml(plain)}`);
  }
  if (mark >= bytes.length) lines.push(`<i>${String(bytes.length).padStart(6)}</i>  <mark>end of the file</mark>`);
  return `<pre>${lines.join('\n')}</pre>`;
}
