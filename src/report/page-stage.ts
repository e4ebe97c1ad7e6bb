/** One stage on the page: what was explored, what was found, what was planted, what was not tested. */
import type { Evidence } from './evidence.ts';
import { escapeHtml, formatCount, formatNumber, formatSeconds, shorten } from './html.ts';
import { barFigure, lineFigure } from './page-figures.ts';
import { isMatrixCount, renderMatrix } from './page-matrix.ts';
import type { ControlResult, StageResult } from './results.ts';

const ROW_COUNT_MAX = 60;
const STORY_LINE_COUNT_MAX = 40;
const LINE_LENGTH_MAX = 400;
const SERIES_COUNT_MAX = 12;

/** Checks of this prefix are negative controls that the stage runs itself. */
const OWN_CONTROL = 'control:';

/** The class that gives a stage its colour. */
export function tone(stage: StageResult): string {
  if (stage.status === 'not-run' || stage.status === 'interrupted') return 't-none';
  if (stage.status === 'missing') return 't-unknown';
  if (stage.broken && stage.verdict !== 'fail') return 't-broken';
  return `t-${stage.verdict}`;
}

/** The verdict of a stage as one word or two. */
export function verdictWord(stage: StageResult): string {
  if (stage.status === 'not-run') return 'not run';
  if (stage.status !== 'judged') return stage.status;
  return stage.broken && stage.verdict !== 'fail' ? 'broken' : stage.verdict;
}

function block(title: string, content: string): string {
  return content === '' ? '' : `<div><h3>${title}</h3>${content}</div>`;
}

function table(head: readonly string[], rows: readonly string[]): string {
  if (rows.length === 0) return '';
  const cells = head.map((title, index) => `<th${index === 0 ? '' : ' class="number"'}>${title}</th>`);
  const more =
    rows.length > ROW_COUNT_MAX ? `<p class="faint">and ${rows.length - ROW_COUNT_MAX} more in the evidence</p>` : '';
  return `<table><thead><tr>${cells.join('')}</tr></thead><tbody>${rows.slice(0, ROW_COUNT_MAX).join('')}</tbody></table>${more}`;
}

function renderReasons(stage: StageResult): string {
  if (stage.reasons.length === 0) return '';
  const items = stage.reasons.map((reason) => `<li>${escapeHtml(shorten(reason, 2000))}</li>`);
  return `<div class="reasons"><ul>${items.join('')}</ul></div>`;
}

function story(lines: readonly string[]): string {
  const shown = lines.slice(0, STORY_LINE_COUNT_MAX).map((line) => shorten(line, LINE_LENGTH_MAX));
  if (lines.length > shown.length) shown.push(`… ${lines.length - shown.length} lines more in the evidence`);
  return `<pre>${escapeHtml(shown.join('\n'))}</pre>`;
}

function renderFailures(stage: StageResult): string {
  const failures = (stage.evidence?.failures ?? []).map(
    ({ class: name, message, operations, shrink, afterSeconds, story: lines }) =>
      `<p><b>${escapeHtml(name)}</b>: ${escapeHtml(shorten(message, 1000))}</p><p class="soft">${formatCount(operations)} operations ` +
      `after shrinking${shrink === '' ? '' : ` (${escapeHtml(shrink)})`}, found after ${formatSeconds(afterSeconds)}.</p>${story(lines)}`,
  );
  const replays = stage.replays.map((command) => `<pre>${escapeHtml(command)}</pre>`);
  const pictures = (stage.pictures ?? []).map(
    (path) => `<p><a href="${escapeHtml(encodeURI(path))}">The failure, drawn</a></p>`,
  );
  return (
    block('The witness', failures.join('')) + block('Picture', pictures.join('')) + block('Replay', replays.join(''))
  );
}

function renderCounts(stage: StageResult): string {
  const minimums = new Map(stage.minimums.map((entry) => [entry.name, entry]));
  const counts = { ...Object.fromEntries(stage.minimums.map(({ name }) => [name, 0])), ...stage.evidence?.counts };
  const rows = Object.entries(counts).flatMap(([name, value]) => {
    if (isMatrixCount(name)) return [];
    const minimum = minimums.get(name)?.minimum;
    const enough = minimum === undefined || value >= minimum;
    const share = minimum === undefined || minimum === 0 ? 100 : Math.min(100, (value / minimum) * 100);
    const meter = enough ? '' : `<span class="meter t-vacuous"><span style="width:${share.toFixed(0)}%"></span></span>`;
    const bound = minimum === undefined ? '' : formatCount(minimum);
    return (
      `<tr><td>${escapeHtml(name)}${meter}</td><td class="number">${formatCount(value)}</td>` +
      `<td class="number ${enough ? 'faint' : 'mark t-vacuous'}">${bound}</td></tr>`
    );
  });
  return block('What was explored', table(['', 'count', 'at least'], rows)) + block('Faults', renderMatrix(counts));
}

function renderChecks(stage: StageResult): string {
  const checks = (stage.evidence?.checks ?? []).filter(({ name }) => !name.startsWith(OWN_CONTROL));
  const rows = checks.map(
    ({ name, verdict, detail }) =>
      `<tr><td class="mark t-${verdict}">${verdict}</td><td>${escapeHtml(name)}<br><span class="soft">${escapeHtml(shorten(detail, 500))}</span></td></tr>`,
  );
  const own: string[] = [];
  const { repetition, nullEdit } = stage;
  const row = (good: boolean, name: string, detail: string): string =>
    `<tr><td class="mark ${good ? 't-pass' : 't-fail'}">${good ? 'pass' : 'no'}</td><td>${name}<br><span class="soft">${escapeHtml(shorten(detail, 500))}</span></td></tr>`;
  if (repetition.outcome !== 'not-promised')
    own.push(row(repetition.outcome === 'repeats', 'one seed, one event hash', repetition.detail));
  if (nullEdit.outcome !== 'not-run') own.push(row(nullEdit.outcome === 'passed', 'null edit', nullEdit.detail));
  const all = [...rows, ...own];
  if (all.length === 0) return '';
  const more =
    all.length > ROW_COUNT_MAX ? `<p class="faint">and ${all.length - ROW_COUNT_MAX} more in the evidence</p>` : '';
  return block('Checks', `<table><tbody>${all.slice(0, ROW_COUNT_MAX).join('')}</tbody></table>${more}`);
}

function renderControl(control: ControlResult): string {
  const style = { caught: 't-pass', survived: 't-vacuous', broken: 't-broken' }[control.outcome];
  const lines =
    control.story.length === 0
      ? ''
      : `<details><summary>${formatCount(control.operations)} operations after shrinking</summary>${story(control.story)}</details>`;
  const detail =
    control.outcome === 'caught' ? '' : `<br><span class="mark">${escapeHtml(shorten(control.detail, 600))}</span>`;
  const seconds = control.secondsToKill === undefined ? '' : formatSeconds(control.secondsToKill);
  return (
    `<tr class="${style}"><td class="mark">${control.outcome}</td><td><b>${escapeHtml(control.name)}</b> ` +
    `<span class="faint">${escapeHtml(control.difficulty)}</span><br><span class="soft">${escapeHtml(control.recreates)}</span>${detail}${lines}</td>` +
    `<td class="soft">${escapeHtml(control.failureClass)}</td><td class="number">${seconds}</td></tr>`
  );
}

function renderControls(stage: StageResult): string {
  if (stage.controls.length === 0) return '';
  const head = '<tr><th></th><th>planted bug</th><th>reported as</th><th class="number">time to kill</th></tr>';
  const rows = stage.controls.map(renderControl).join('');
  return block('Planted bugs', `<table><thead>${head}</thead><tbody>${rows}</tbody></table>`);
}

/** Controls that the stage runs itself, in two narrow columns: there may be dozens. */
function renderOwnControls(evidence: Evidence): string {
  const controls = evidence.checks.filter(({ name }) => name.startsWith(OWN_CONTROL));
  const words = { pass: 'caught', fail: 'failed', vacuous: 'survived', unknown: 'unknown' };
  const items = controls.map(
    ({ name, verdict, detail }) =>
      `<li class="t-${verdict}"><span class="mark">${words[verdict]}</span> ${escapeHtml(name.slice(OWN_CONTROL.length))}` +
      `<small>${escapeHtml(shorten(detail, 300))}</small></li>`,
  );
  if (items.length === 0) return '';
  const caught = controls.filter(({ verdict }) => verdict === 'pass').length;
  return `<h3>Controls of the stage itself: ${caught} of ${controls.length} caught</h3><ul class="sabotages">${items.join('')}</ul>`;
}

/** Figures of one unit are bars on one scale; a figure alone in its unit is a row of a table. */
function renderFigures(evidence: Evidence): string {
  const byUnit = Map.groupBy(evidence.figures, ({ unit }) => unit);
  const bars: string[] = [];
  const rows: string[] = [];
  for (const [unit, figures] of byUnit) {
    if (figures.length > 1 && figures.every(({ value }) => value >= 0)) {
      bars.push(
        barFigure(
          'Side by side',
          unit,
          figures.map(({ name, value }) => ({ name, value, text: formatNumber(value) })),
        ),
      );
      continue;
    }
    for (const { name, value } of figures) {
      rows.push(
        `<tr><td>${escapeHtml(name)}</td><td class="number">${formatNumber(value)} <span class="soft">${escapeHtml(unit)}</span></td></tr>`,
      );
    }
  }
  const lines = evidence.series.slice(0, SERIES_COUNT_MAX).map(lineFigure);
  const pictures = [...bars, ...lines].filter((picture) => picture !== '');
  const single = rows.length === 0 ? '' : `<table><tbody>${rows.slice(0, ROW_COUNT_MAX).join('')}</tbody></table>`;
  const drawn = pictures.map((picture) => `<div>${picture}</div>`).join('');
  if (single === '' && drawn === '') return '';
  return `<h3>Figures</h3><div class="columns">${single === '' ? '' : `<div>${single}</div>`}${drawn}</div>`;
}

function renderSituations(evidence: Evidence): string {
  const entries = Object.entries(evidence.situations).sort(([, a], [, b]) => Math.sign(b) - Math.sign(a));
  const chips = entries.slice(0, 120).map(([name, count]) => {
    if (count === 0) return `<li class="not">not reached: ${escapeHtml(name)}</li>`;
    return `<li>${escapeHtml(name)} <span class="faint">${formatCount(count)}</span></li>`;
  });
  return chips.length === 0 ? '' : block('Situations', `<ul class="chips">${chips.join('')}</ul>`);
}

function renderNotTested(evidence: Evidence): string {
  const items = evidence.notTested.map((text) => `<li>${escapeHtml(text)}</li>`);
  return items.length === 0 ? '' : block('Not tested', `<ul class="plain">${items.join('')}</ul>`);
}

/** The section of one stage. */
export function renderStage(stage: StageResult): string {
  const { evidence } = stage;
  const optional = stage.required ? '' : ' <span class="faint">not required</span>';
  const aside =
    stage.status === 'judged'
      ? `seed ${stage.seed} · ${formatSeconds(stage.durationSeconds)} · budget ${formatSeconds(stage.budgetSeconds)}`
      : '';
  return `<section id="${escapeHtml(stage.name)}" class="${tone(stage)}"><header><h2>${escapeHtml(stage.title)}</h2>
<span class="tag">${verdictWord(stage)}</span>${optional}<span class="aside">${aside}</span></header>
<p class="question">${escapeHtml(stage.question)}</p>
${renderReasons(stage)}${renderFailures(stage)}
<div class="columns">${renderCounts(stage)}${renderChecks(stage)}</div>
${renderControls(stage)}${evidence === undefined ? '' : renderOwnControls(evidence) + renderFigures(evidence) + renderSituations(evidence) + renderNotTested(evidence)}
</section>`;
}
