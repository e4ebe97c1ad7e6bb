/** Counts of faults by kind and phase as one table: how often each struck, in the middle of a call, and was noticed. */
import { escapeHtml, formatCount } from './html.ts';

/** A count of the matrix: `fault <kind> in <phase>`, with an ending for the part of it that is meant. */
const NAME = /^fault (.+?) in ([a-z ]+?)(, in the middle|, noticed)?$/;

interface Cell {
  landed: number;
  inTheMiddle: number;
  noticed: number;
}

/** Whether a count belongs to the matrix, and not among the others. */
export function isMatrixCount(name: string): boolean {
  return NAME.test(name);
}

/** The table; empty without such counts. Kinds in the order of the alphabet, phases in the order in which they are met. */
export function renderMatrix(counts: Readonly<Record<string, number>>): string {
  const kinds = new Map<string, Map<string, Cell>>();
  const phases: string[] = [];
  for (const [name, value] of Object.entries(counts)) {
    const [, kind, phase, part] = NAME.exec(name) ?? [];
    if (kind === undefined) continue;
    if (!phases.includes(phase)) phases.push(phase);
    const row = kinds.get(kind) ?? new Map<string, Cell>();
    kinds.set(kind, row);
    const cell = row.get(phase) ?? { landed: 0, inTheMiddle: 0, noticed: 0 };
    row.set(phase, cell);
    if (part === undefined) cell.landed += value;
    else if (part === ', noticed') cell.noticed += value;
    else cell.inTheMiddle += value;
  }
  if (kinds.size === 0) return '';
  const head = phases.map((phase) => `<th class="number">${escapeHtml(phase)}</th>`).join('');
  const rows = [...kinds]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([kind, row]) => {
      const cells = phases.map((phase) => cellText(row.get(phase)));
      return `<tr><td>${escapeHtml(kind)}</td>${cells.join('')}</tr>`;
    });
  return (
    `<div class="wide"><table><thead><tr><th>fault</th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>` +
    '<p class="faint">Struck; below, of those of the systematic runs: in the middle of a call / noticed by the store.</p>'
  );
}

function cellText(cell: Cell | undefined): string {
  if (cell === undefined) return '<td class="number faint">·</td>';
  const { landed, inTheMiddle, noticed } = cell;
  return `<td class="number">${formatCount(landed)}<br><span class="faint">${formatCount(inTheMiddle)} / ${formatCount(noticed)}</span></td>`;
}
