/**
 * The report: one HTML page that holds everything it shows, made to be read like a printed one. The verdict comes first,
 * in words; what was not tested has its place in every stage.
 */
import { escapeHtml, formatSeconds } from './html.ts';
import { renderDetection } from './page-detection.ts';
import { killFigure } from './page-figures.ts';
import { renderStage, tone, verdictWord } from './page-stage.ts';
import { PAGE_STYLE } from './page-style.ts';
import type { GateReport, SelfCheckResult, StageResult } from './results.ts';
import { EXIT, selfCheckHolds } from './verdict.ts';

/** The word that stands over the page. */
function bigWord(report: GateReport): { readonly word: string; readonly tone: string } {
  if (report.interrupted) return { word: 'Interrupted', tone: 't-unknown' };
  if (report.exitCode === EXIT.broken) return { word: 'Broken', tone: 't-broken' };
  const words = { pass: 'Pass', fail: 'Fail', vacuous: 'Vacuous', unknown: 'Unknown' };
  return { word: words[report.verdict], tone: `t-${report.verdict}` };
}

/** The verdict in one or two sentences. */
function leadOf(report: GateReport): string {
  const missing = report.stages.filter(({ status }) => status === 'missing').length;
  const failed = report.stages.filter(({ verdict }) => verdict === 'fail').map(({ title }) => title);
  const suffix =
    missing === 0 ? '' : missing === 1 ? ' One stage is not there yet.' : ` ${missing} stages are not there yet.`;
  if (report.interrupted) return 'The run was ended before it was complete. What is below was seen until then.';
  if (report.withBug !== undefined && failed.length > 0) {
    return `A fault was planted on purpose (${report.withBug}), and ${failed.join(', ')} found it.`;
  }
  if (report.verdict === 'fail')
    return `There is a witness. ${failed.join(', ')} found something that must not happen.${suffix}`;
  if (report.exitCode === EXIT.broken) return 'The harness itself broke somewhere, so that nothing can be concluded.';
  if (report.verdict === 'vacuous') return `Nothing failed, but part of the run could not have failed either.${suffix}`;
  if (report.verdict === 'unknown') return `Nothing failed, but something that is required is not known.${suffix}`;
  const caught = report.stages.flatMap(({ controls }) => controls).filter(({ outcome }) => outcome === 'caught').length;
  const proof = caught === 0 ? '' : ` The run could have failed: ${caught} planted bugs were caught on the way.`;
  return `Every required check passed.${proof}`;
}

function fact(term: string, value: string, note = ''): string {
  const small = note === '' ? '' : ` <small>${escapeHtml(note)}</small>`;
  return `<div><dt>${escapeHtml(term)}</dt><dd>${escapeHtml(value)}${small}</dd></div>`;
}

function ownControls(stage: StageResult): { readonly all: number; readonly caught: number } {
  const checks = stage.evidence?.checks.filter(({ name }) => name.startsWith('control:')) ?? [];
  return { all: checks.length, caught: checks.filter(({ verdict }) => verdict === 'pass').length };
}

function renderFacts(report: GateReport): string {
  const judged = report.stages.filter(({ status }) => status === 'judged');
  const controls = judged.flatMap((stage) => stage.controls);
  const own = judged.map(ownControls);
  const all = controls.length + own.reduce((sum, { all: count }) => sum + count, 0);
  const caught =
    controls.filter(({ outcome }) => outcome === 'caught').length + own.reduce((sum, one) => sum + one.caught, 0);
  const sabotages = report.selfCheck?.sabotages ?? [];
  const hash = judged.find((stage) => stage.evidence !== undefined)?.evidence?.sources.hash.slice(0, 12);
  return `<dl class="facts">${[
    fact('Stages judged', `${judged.length} of ${report.stages.length}`),
    fact('Planted bugs caught', all === 0 ? 'none run' : `${caught} of ${all}`),
    report.selfCheck === undefined
      ? fact('Sabotages refused', 'not run')
      : fact('Sabotages refused', `${sabotages.filter(({ refused }) => refused).length} of ${sabotages.length}`),
    fact('Duration', formatSeconds(report.durationSeconds)),
    fact('Seed', String(report.seed)),
    fact('Judged', report.subject.engine, `${report.subject.version}${hash === undefined ? '' : ` · sources ${hash}`}`),
  ].join('')}</dl>`;
}

function renderStrip(stages: readonly StageResult[]): string {
  const cells = stages.map((stage) => {
    const hollow = stage.status === 'judged' ? '' : ' hollow';
    const time = stage.status === 'judged' ? formatSeconds(stage.durationSeconds) : '\u00a0';
    return (
      `<li class="${tone(stage)}${hollow}"><a href="#${escapeHtml(stage.name)}"><b>${escapeHtml(stage.title)}</b>` +
      `<i>${verdictWord(stage)}</i><small>${time}</small></a></li>`
    );
  });
  return `<ul class="strip">${cells.join('')}</ul>`;
}

function renderKills(stages: readonly StageResult[]): string {
  const kills = stages.flatMap((stage) =>
    stage.controls.flatMap(({ name, outcome, secondsToKill }) =>
      outcome === 'caught' && secondsToKill !== undefined
        ? [{ name, seconds: secondsToKill, budgetSeconds: stage.budgetSeconds }]
        : [],
    ),
  );
  if (kills.length === 0) return '';
  return (
    '<section id="controls"><header><h2>Could it have failed?</h2></header>' +
    '<p class="question">Known faults were planted one at a time, and the same stages were run again with the same ' +
    'budget. Each dot is one that was caught, at the time it took; the small stroke is the budget.</p>' +
    `<figure>${killFigure(kills)}</figure></section>`
  );
}

function renderSelfCheck(selfCheck: SelfCheckResult): string {
  const { sabotages, untouchedPasses, untouchedDetail } = selfCheck;
  const refused = sabotages.filter((sabotage) => sabotage.refused).length;
  const rows = sabotages.map(
    ({ title, refused: ok, detail }) =>
      `<li class="${ok ? 't-pass' : 't-fail'}"><span class="mark">${ok ? 'refused' : 'PASSED'}</span> ` +
      `${escapeHtml(title)}<small>${escapeHtml(detail)}</small></li>`,
  );
  const untouched = untouchedPasses ? 'It passes when nothing is wrong with it' : 'It does not pass even untouched';
  return (
    `<section id="self-check" class="${selfCheckHolds(selfCheck) ? 't-pass' : 't-fail'}"><header><h2>The gate, sabotaged</h2>` +
    `<span class="aside">${formatSeconds(selfCheck.durationSeconds)}</span></header>` +
    '<p class="question">A gate that has gone blind passes everything. Twelve ways of blinding it were tried on a ' +
    'miniature stage; each must be refused, and for the right reason.</p>' +
    `<p class="score">${refused} of ${sabotages.length} refused</p>` +
    `<p class="soft">${untouched}: ${escapeHtml(untouchedDetail)}.</p><ul class="sabotages">${rows.join('')}</ul></section>`
  );
}

function renderFooter(report: GateReport): string {
  const legend = [
    ['t-pass', 'pass', 'what was explored is stated, and nothing was found'],
    ['t-fail', 'fail', 'a witness exists; it is shrunk, kept and replays'],
    ['t-vacuous', 'vacuous', 'the run could not have failed: a planted bug survived, or too little was done'],
    ['t-unknown', 'unknown', 'a budget ran out, or something needed was not there'],
    ['t-broken', 'broken', 'the harness itself failed, which says nothing about the engine'],
  ];
  const rows = legend.map(([style, word, meaning]) => `<dt class="${style}">${word}</dt><dd>${meaning}</dd>`);
  const { profile, seed, runtime, startedAt } = report;
  return (
    `<footer><dl class="legend">${rows.join('')}</dl>` +
    `<p>Again with the same seeds: <code>lightning-db gate --profile ${escapeHtml(profile)} --seed ${seed}</code></p>` +
    `<p>Node ${escapeHtml(runtime.node)} on ${escapeHtml(runtime.platform)} ${escapeHtml(runtime.architecture)}, ` +
    `started ${escapeHtml(startedAt)}. Everything on this page is in <code>verdict.json</code> beside it, and each ` +
    'stage\u2019s own record in <code>evidence/</code>.</p></footer>'
  );
}

/** The whole page. Needs nothing from anywhere else: no script, no font, no request. */
export function renderPage(report: GateReport): string {
  const { word, tone: wordTone } = bigWord(report);
  const day = report.startedAt.slice(0, 16).replace('T', ' ');
  const weakened =
    report.weaken === undefined
      ? ''
      : `<p class="lead t-vacuous">Weakened on purpose: ${escapeHtml(report.weaken)}. This run must not pass.</p>`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(report.headline)}</title><style>${PAGE_STYLE}</style></head><body><main>
<div class="masthead"><span><b>Lightning DB</b> verification report</span><span>profile <b>${escapeHtml(report.profile)}</b> · ${escapeHtml(day)} UTC</span></div>
<div class="verdict ${wordTone}"><h1 class="word">${word}</h1><p class="lead">${escapeHtml(leadOf(report))}</p>${weakened}
<p class="headline">${escapeHtml(report.headline)}</p></div>
${renderFacts(report)}
${renderStrip(report.stages)}
${renderKills(report.stages)}
${report.stages.map(renderStage).join('\n')}
${report.detection === undefined ? '' : renderDetection(report.detection, report.stages.find(({ name }) => name === 'crash')?.evidence?.sources.hash)}
${report.selfCheck === undefined ? '' : renderSelfCheck(report.selfCheck)}
${renderFooter(report)}
</main></body></html>
`;
}
