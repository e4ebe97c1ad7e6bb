/**
 * A history as one self-contained page: a lane for each client, a bar from each call to its return, the explanation beside
 * it. Bounded in size: the window that no order explains, or the first operations when there is none; what is left out
 * is counted.
 */
import type { HistoryVerdict } from '../checkers/index.ts';
import type { Cell, History, HistoryOperation } from '../history/history.ts';
import { escapeHtml, formatCount, shorten } from './html.ts';
import { PAGE_STYLE } from './page-style.ts';

/** Operations drawn at most; a page stays under a megabyte. */
export const TIMELINE_OPERATIONS_MAX = 400;
const TEXT_MAX = 120;
const LANE_PIXELS = 34;
const EVENT_PIXELS = 30;
const LEFT_PIXELS = 80;

/** What is drawn. */
export interface TimelineOptions {
  readonly title: string;
  /** Draw the beginning of the history in spite of a violating window. */
  readonly whole?: boolean;
  /** A drawing to stand above the explanation, as one SVG element. */
  readonly figure?: string;
}

const cellsText = (cells: readonly Cell[]): string =>
  cells.map(({ key, value }) => `${key}=${value ?? 'absent'}`).join(' ');

/** One operation in words, shortened. */
export function operationText(operation: HistoryOperation): string {
  const { kind, reads, writes, outcome } = operation;
  const compared = kind === 'cas' ? ` if ${operation.expected ?? 'absent'}` : '';
  const swapped = operation.swapped === false ? ', not written' : '';
  const saw = reads.length > 0 ? ` saw ${cellsText(reads)}` : '';
  const wrote =
    writes.length > 0
      ? ` ${kind === 'write' || kind === 'append' ? '' : 'writes '}${cellsText(writes)}${compared}${swapped}`
      : '';
  const durable = operation.durability === undefined ? '' : `, ${operation.durability}`;
  return shorten(`${kind}${saw}${wrote}: ${outcome}${durable}`, TEXT_MAX);
}

interface Drawn {
  readonly operations: readonly HistoryOperation[];
  readonly witness: ReadonlySet<number>;
  readonly place: ReadonlyMap<number, number>;
  readonly first: number | undefined;
}

function choose(history: History, verdict: HistoryVerdict, options: TimelineOptions): Drawn {
  const witness = new Set(verdict.verdict === 'invalid' ? verdict.witness : []);
  const named = history.operations.filter(({ id }) => witness.has(id));
  const [from, to] =
    options.whole === true || named.length === 0
      ? [0, Infinity]
      : verdict.verdict === 'invalid' && verdict.window !== undefined
        ? verdict.window
        : [
            Math.min(...named.map(({ call }) => call)),
            Math.max(...named.map((o) => (Number.isFinite(o.return) ? o.return : o.call))),
          ];
  const inside = history.operations.filter(
    (operation) => operation.call <= to && operation.return >= from && Number.isFinite(operation.return),
  );
  // The witness first: of a crowded window it must be there whatever else is left out.
  const wanted = [...named, ...inside.filter(({ id }) => !witness.has(id))].slice(0, TIMELINE_OPERATIONS_MAX);
  const operations = wanted.sort((a, b) => a.call - b.call);
  const events = [...operations.map(({ call }) => call), ...operations.map((operation) => operation.return)];
  for (const { index } of history.markers)
    if (index >= (operations.at(0)?.call ?? 0) && index <= Math.max(...events.filter(Number.isFinite)))
      events.push(index);
  const sorted = [...new Set(events.filter(Number.isFinite))].sort((a, b) => a - b);
  const place = new Map(sorted.map((event, at) => [event, at]));
  return { operations, witness, place, first: verdict.verdict === 'invalid' ? verdict.witness.at(-1) : undefined };
}

function drawing(history: History, { operations, witness, place, first }: Drawn): string {
  const clients = [...new Set(operations.map(({ client }) => client))].sort((a, b) => a - b);
  const width = LEFT_PIXELS + (place.size + 1) * EVENT_PIXELS;
  const height = clients.length * LANE_PIXELS + 24;
  const x = (event: number): number => LEFT_PIXELS + (place.get(event) ?? place.size) * EVENT_PIXELS;
  const lanes = clients.map((client, lane) => {
    const y = lane * LANE_PIXELS + LANE_PIXELS;
    return `<line x1="0" x2="${width}" y1="${y}" y2="${y}" class="lane"/><text x="4" y="${y - 10}">client ${client}</text>`;
  });
  const markers = history.markers.flatMap(({ kind, index }) =>
    place.has(index)
      ? [
          `<line x1="${x(index)}" x2="${x(index)}" y1="0" y2="${height}" class="${kind}"/><text x="${x(index) + 3}" y="${height - 4}">${kind}</text>`,
        ]
      : [],
  );
  const bars = operations.map((operation) => {
    const y = clients.indexOf(operation.client) * LANE_PIXELS + 8;
    const [left, right] = [x(operation.call), Number.isFinite(operation.return) ? x(operation.return) : width];
    const marks = [
      operation.outcome,
      witness.has(operation.id) ? 'witness' : '',
      operation.id === first ? 'first' : '',
    ];
    const text = escapeHtml(`#${operation.id} ${operationText(operation)}`);
    return `<g tabindex="0" id="o${operation.id}" class="${marks.join(' ')}" data-text="${text}"><title>${text}</title><rect x="${left}" y="${y}" width="${Math.max(8, right - left)}" height="20" rx="3"/><text x="${left + 4}" y="${y + 14}">${escapeHtml(shorten(label(operation), Math.max(4, Math.floor((right - left) / 7))))}</text></g>`;
  });
  return `<svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="timeline">${[...lanes, ...markers, ...bars].join('\n')}</svg>`;
}

function label({ id, kind, reads, writes }: HistoryOperation): string {
  if (kind === 'transaction') return `T${id}`;
  const value = (reads.at(0) ?? writes.at(0))?.value;
  return value === undefined ? kind : `${kind === 'read' ? 'r' : kind === 'write' ? 'w' : kind} ${value ?? 'absent'}`;
}

const STYLE = `main{max-width:none}.flow{display:grid;grid-template-columns:minmax(0,1fr) 22rem;gap:1.6rem;align-items:start}
.sheet{overflow:auto;background:var(--sheet);border:1px solid var(--rule);max-height:80vh}
.sheet svg{display:block;max-width:none;width:auto;height:auto}.sheet svg text{font:11px var(--mono);fill:var(--ink);pointer-events:none}aside svg{max-width:100%}.lane{stroke:var(--rule)}
.crash{stroke:var(--fail);stroke-width:2}.reopen{stroke:var(--pass);stroke-width:2}
g rect{fill:var(--wash);stroke:var(--soft)}g.unknown rect{stroke-dasharray:4 3}g.failed rect{opacity:.4}
g.witness rect{stroke:var(--fail);stroke-width:2}g.first rect{fill:var(--fail)}g.first text{fill:var(--paper)}
g:hover rect,g:focus rect{stroke:var(--accent);stroke-width:2.5}
@media (max-width:60rem){.flow{grid-template-columns:1fr}}`;
const SCRIPT = `const told=document.getElementById('told');for(const g of document.querySelectorAll('g')){const show=()=>{told.textContent=g.dataset.text};g.addEventListener('mouseenter',show);g.addEventListener('focus',show)}
const jump=document.getElementById('jump');if(jump)jump.addEventListener('click',(e)=>{e.preventDefault();const g=document.querySelector('g.first');if(g){g.scrollIntoView({block:'center',inline:'center'});g.focus()}})`;

/** The page. Cost: linear in the history, its size bounded by {@link TIMELINE_OPERATIONS_MAX}. */
export function renderTimeline(history: History, verdict: HistoryVerdict, options: TimelineOptions): string {
  const drawn = choose(history, verdict, options);
  const left = history.operations.length - drawn.operations.length;
  const explanation =
    verdict.verdict === 'invalid'
      ? `<p><b>${escapeHtml(verdict.class)}</b></p><p>${escapeHtml(shorten(verdict.message, 500))}</p>${verdict.prefix === undefined ? '' : `<p>The longest prefix that an order explains has ${formatCount(verdict.prefix.length)} operations.</p>`}<p><a id="jump" href="#o${String(drawn.first)}">Jump to the first error</a></p>`
      : `<p>${verdict.verdict === 'valid' ? `${formatCount(verdict.checked)} operations looked at.` : escapeHtml(verdict.reason)}</p>`;
  const named = drawn.operations.filter(({ id }) => drawn.witness.has(id)).slice(0, 40);
  const list = named.map(
    (operation) =>
      `<li><code>#${operation.id}, client ${operation.client}: ${escapeHtml(operationText(operation))}</code></li>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(options.title)}</title><style>${PAGE_STYLE}${STYLE}</style></head><body><main>
<h2>${escapeHtml(shorten(options.title, TEXT_MAX))}: ${verdict.verdict}</h2>
<p>${formatCount(drawn.operations.length)} operations drawn, ${formatCount(left)} left out. Time runs to the right, one step for each event.</p>
<div class="flow"><div class="sheet">${drawing(history, drawn)}</div><aside>${options.figure ?? ''}${explanation}<p id="told" class="mono">Point at an operation.</p><h3>Cannot all be right</h3><ul>${list.join('')}</ul></aside></div>
</main><script>${SCRIPT}</script></body></html>
`;
}
