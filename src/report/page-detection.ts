/** The detection table on the page: every planted bug that power cuts and failing disks should find. */
import { type Detection, storyLengths } from './detection.ts';
import { escapeHtml, formatCount, formatSeconds } from './html.ts';

/** A section; `sourcesHash` is that of the stage as it is now, to say when the table is older. */
export function renderDetection(detection: Detection, sourcesHash: string | undefined): string {
  const { rows, day, seed, budgetSeconds } = detection;
  const caught = rows.filter(({ outcome }) => outcome === 'caught').length;
  const { median, longest } = storyLengths(rows);
  const isOlder = sourcesHash !== undefined && sourcesHash !== detection.sourcesHash;
  const lines = rows.map(
    ({ name, recreates, stage, outcome, class: failureClass, cycles, cpuSeconds, operations, sentence, detail }) =>
      `<tr class="${outcome === 'caught' ? 't-pass' : 't-fail'}"><td><code>${escapeHtml(name)}</code><br><small class="soft">${escapeHtml(recreates)}</small>` +
      `<td>${escapeHtml(stage)}<td>${escapeHtml(outcome === 'caught' ? failureClass : `${outcome}: ${detail}`)}` +
      `<td class="number">${cycles === null ? '–' : formatCount(cycles)}<td class="number">${formatSeconds(cpuSeconds)}` +
      `<td class="number">${operations}<td><small>${escapeHtml(sentence)}</small></tr>`,
  );
  return (
    `<section id="detection"><header><h2>What would be found</h2><span class="aside">${escapeHtml(day)}, seed ${seed}</span></header>` +
    `<p class="question">Bugs of real engines were planted one at a time, and the stage that should find each had ${formatSeconds(budgetSeconds)} of CPU.</p>` +
    `<p class="score">${caught} of ${rows.length} found</p>` +
    `<p class="soft">The middle story has ${median} operations, the longest ${longest}.${isOlder ? ' Measured on older sources than these.' : ''}</p>` +
    `<table><tr><th>planted bug<th>stage<th>found as<th class="number">cycles<th class="number">CPU<th class="number">operations<th>story</tr>${lines.join('')}</table></section>`
  );
}
