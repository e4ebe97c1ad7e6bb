/**
 * A failing case as one page of HTML that needs nothing else: the story's sentence; client and disk in two lanes, up to
 * each power cut; and the files that came back, decoded, with the first wrong byte marked. Bounded: the parts of it are,
 * so that a page stays below 5 MB whatever the case is.
 */
import { escapeHtml } from '../src/report/html.ts';
import { PAGE_STYLE } from '../src/report/page-style.ts';
import { printOperation, printProgram } from '../src/workload/print.ts';
import type { CrashCase } from './crash-case.ts';
import { drawFiles } from './crash-files.ts';
import { type ClientOperation, drawLanes } from './crash-lanes.ts';
import { type Leg, recordCase } from './crash-recording.ts';
import { drawRows } from './crash-rows.ts';
import { describeFault, describeLosses, storySentence } from './crash-story.ts';

const STORY_LINES_MAX = 100;

/** The page. `message` says what recovery made of it. */
export function drawCrash(crashCase: CrashCase, failureClass: string, message: string): string {
  const legs = recordCase(crashCase);
  const last = legs[legs.length - 1];
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(`${failureClass}: ${message}`)}</title><style>${PAGE_STYLE}${STYLE}</style></head><body><main>
<div class="masthead"><span><b>Lightning DB</b> power cut</span><span>${machineText(crashCase)}</span></div>
<div class="verdict t-fail"><h1 class="class">${escapeHtml(failureClass)}</h1><p class="lead">${escapeHtml(message)}</p>
<p class="headline">${escapeHtml(storySentence(crashCase, legs, 'see below'))}</p></div>
${legs.map((leg, index) => drawLeg(crashCase, leg, index)).join('\n')}
${LEGEND}
<section><header><h2>What the client finds</h2></header>${legs.length > 1 ? LATER : ''}${legs[0].knowledge === undefined ? '' : drawRows(crashCase, last, legs[0].knowledge)}</section>
<section><header><h2>What came back</h2></header><p class="question">Every file as recovery found it, decoded as far as it can be read; where it is wrong, the first wrong byte is marked.</p>
${drawFiles(last, message)}</section>
<section><header><h2>The program</h2></header>${program(crashCase)}</section>
</main></body></html>
`;
}

function machineText({ machine }: CrashCase): string {
  const faults =
    machine.faults.length === 0
      ? 'no fault planned'
      : `${machine.faults.length} ${machine.faults.length === 1 ? 'fault' : 'faults'} planned`;
  return `${machine.directoryModel} names · writes tear at ${machine.tearBytes} bytes · ${faults}`;
}

function drawLeg(crashCase: CrashCase, leg: Leg, index: number): string {
  const title =
    index === 0 ? 'Until the power went' : index === 1 ? 'The recovery from it' : 'And the recovery from that';
  const losses =
    leg.cut === undefined ? 'No power was cut: it fails while it runs.' : `The cut: ${describeLosses(leg)}.`;
  const operations: ClientOperation[] =
    index > 0
      ? [
          { label: 'open: recovery', told: '' },
          { label: 'write', told: '' },
        ]
      : [
          { label: 'open', told: '' },
          ...crashCase.program.operations.map((operation, i) => ({
            label: printOperation(operation),
            told: leg.told.at(i) ?? '',
          })),
        ];
  return `<section><header><h2>${title}</h2></header><p class="question">${escapeHtml(losses)}</p>${drawLanes(leg, operations)}</section>`;
}

function program({ program: { options, operations }, machine }: CrashCase): string {
  const lines = printProgram({ format: 1, options, operations: operations.slice(0, STORY_LINES_MAX) });
  const more = operations.length - STORY_LINES_MAX;
  const faults = machine.faults.map((fault) => `fault: ${describeFault(fault)}`);
  const all = [...lines, ...(more > 0 ? [`… ${more} more operations`] : []), ...faults];
  return `<pre>${all.map(escapeHtml).join('\n')}</pre>`;
}

const LEGEND = `<p class="keys">${[
  ['durable', 'fsynced: no cut takes it back'],
  ['survives', 'not fsynced, and there'],
  ['torn', 'there in part'],
  ['lost', 'not there'],
  ['replaced', 'written over later'],
  ['failed', 'a fault struck it'],
  ['sync', 'fsync: a barrier'],
]
  .map(
    ([kind, words]) =>
      `<span><svg width="18" height="14"><rect width="18" height="14" rx="2" class="${kind}"/></svg>${words}</span>`,
  )
  .join('')}</p>`;

const LATER =
  '<p class="soft">As promised before the first power cut; what recoveries wrote since is not in this table.</p>';

const STYLE = `
main{max-width:78rem}.class{font-size:clamp(2rem,5vw,3.2rem);color:var(--tone);letter-spacing:-.02em}.lead{max-width:52rem}.question{max-width:60rem}.verdict{padding:2rem 0 0}section{margin-top:2.6rem}
:root{--durable:#a8c5e4;--survives:#a5d3ab;--torn:#f0c766;--lost:#eb9a92;--replaced:#e3e1dc;--failed:#d7b3e6;--barrier:#30353d}
@media (prefers-color-scheme:dark){:root{--durable:#2f5277;--survives:#2d6140;--torn:#7d5d12;--lost:#8a3a33;--replaced:#33373d;--failed:#5e3f70;--barrier:#d8d5cf}}
.sheet{direction:rtl;overflow-x:auto;background:var(--sheet);border:1px solid var(--rule);border-radius:3px;padding:12px;margin-top:1rem}
.sheet svg{direction:ltr;display:block;margin:0 auto 0 0;width:auto;max-width:none}svg text{font:11px var(--sans);fill:var(--ink)}
.lane{font-size:10px!important;letter-spacing:.08em;text-transform:uppercase;fill:var(--soft)!important;font-weight:650!important}
.file{font-family:var(--mono)!important}.small{font-size:9.5px!important}.operation{font-family:var(--mono)!important}
.told{font-size:10px!important;fill:var(--soft)!important}.told.synced{fill:var(--pass)!important}.told.refused{fill:var(--vacuous)!important}
.disk{fill:var(--wash)}.row{stroke:var(--rule)}.client{fill:var(--paper);stroke:var(--faint)}.begin{stroke:var(--faint);stroke-dasharray:2 3}
rect.durable,.end.durable{fill:var(--durable)}rect.survives,.end.survives{fill:var(--survives)}rect.torn,.end.torn{fill:var(--torn)}rect.lost,.end.lost{fill:var(--lost)}
rect.replaced{fill:var(--replaced)}rect.failed,.end.failed{fill:var(--failed)}.sync{fill:var(--barrier)}
.arrow{fill:none;stroke:var(--soft);stroke-width:1.4}.front{stroke:var(--fail);stroke-width:3}.cut{fill:var(--fail)!important;font-weight:700!important;font-size:13px!important}
.left.lost{fill:var(--fail)!important}.left.torn{fill:var(--unknown)!important}.left.durable{fill:var(--soft)!important}
.keys{display:flex;flex-wrap:wrap;gap:.3rem 1.4rem;font-size:.84rem;color:var(--soft);margin-top:1rem}.keys span{display:flex;align-items:center;gap:.4rem}.keys svg{width:18px;height:14px;flex:none}
h3.path{font-family:var(--mono);text-transform:none;letter-spacing:0;font-size:.95rem;color:var(--ink);margin-bottom:.2rem}h4{margin:.6rem 0 .2rem;font-size:.78rem;color:var(--soft);font-weight:600}
.wrong{color:var(--fail)}.items td{font-size:.84rem;padding:.2rem .6rem .2rem 0}.items td:nth-child(2){white-space:nowrap}.items .number{width:5rem;padding-right:1.2rem}.field{margin-right:1rem;color:var(--soft)}.field b{color:var(--ink);font-weight:500;font-family:var(--mono)}
tr.here td{background:color-mix(in srgb,var(--lost) 32%,transparent)}tr.damage td{background:color-mix(in srgb,var(--lost) 60%,transparent)}
.bytes{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,36rem),1fr));gap:0 2rem}.bytes pre{font-size:.76rem;margin:0}.bytes i{font-style:normal;color:var(--faint)}
mark{background:var(--fail);color:#fff;border-radius:2px;padding:0 1px}`;
