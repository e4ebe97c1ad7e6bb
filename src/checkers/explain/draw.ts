/** A cycle as a picture: transactions around a circle, an arrow for each dependency, the story below. */
import type { Anomaly, Dependency } from './anomaly.ts';

const SIZE = 360;
const RADIUS = 120;
const NODE = 22;
const COLOURS: Readonly<Record<Dependency['kind'], string>> = {
  ww: '#8a4b08',
  wr: '#1b5e9b',
  rw: '#b3261e',
  time: '#5f6368',
};
const LINE_LENGTH = 62;

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

function linesOf(text: string): string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    if (`${lines[lines.length - 1]} ${word}`.length > LINE_LENGTH) lines.push(word);
    else lines[lines.length - 1] = `${lines[lines.length - 1]} ${word}`.trim();
  }
  return lines;
}

/**
 * Draws an anomaly as one SVG element without scripts, links or fonts of its own. Its size grows with the cycle and its
 * story alone; every text of the history is escaped.
 * @param story whether the anomaly's message stands below
 */
export function drawCycle({ cycle, message }: Anomaly, story: 'told' | 'left out' = 'told'): string {
  const radius = Math.max(RADIUS, (cycle.length * 3 * NODE) / Math.PI);
  const size = SIZE + 2 * (radius - RADIUS);
  const point = (i: number): readonly [number, number] => {
    const angle = (2 * Math.PI * i) / Math.max(1, cycle.length) - Math.PI / 2;
    return [size / 2 + radius * Math.cos(angle), size / 2 + radius * Math.sin(angle)];
  };
  const arrows = cycle.map((dependency, i) => drawArrow(dependency, point(i), point((i + 1) % cycle.length)));
  const nodes = cycle.map(({ from }, i) => {
    const [x, y] = point(i);
    return (
      `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${NODE}" fill="#fff" stroke="#202124"/>` +
      `<text x="${x.toFixed(1)}" y="${(y + 4).toFixed(1)}" text-anchor="middle">T${from}</text>`
    );
  });
  const top = cycle.length === 0 ? 20 : size + 10;
  const lines = (story === 'told' ? linesOf(message) : []).map(
    (line, i) => `<text x="12" y="${(top + 16 * i).toFixed(0)}">${escape(line)}</text>`,
  );
  const height = top + 16 * lines.length;
  const markers = Object.entries(COLOURS).map(
    ([kind, colour]) =>
      `<marker id="head-${kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="${colour}"/></marker>`,
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Math.max(size, 480).toFixed(0)} ${height.toFixed(0)}" ` +
    `font-family="sans-serif" font-size="12"><defs>${markers.join('')}</defs>${arrows.join('')}${nodes.join('')}${lines.join('')}</svg>`
  );
}

/** A bent arrow, so that two between the same transactions stay apart. */
function drawArrow(dependency: Dependency, from: readonly [number, number], to: readonly [number, number]): string {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = Math.max(1, Math.hypot(dx, dy));
  const [ux, uy] = [dx / length, dy / length];
  const [mx, my] = [(from[0] + to[0]) / 2 + 24 * uy, (from[1] + to[1]) / 2 - 24 * ux];
  const start = [from[0] + NODE * ux, from[1] + NODE * uy].map((n) => n.toFixed(1));
  const end = [to[0] - NODE * ux, to[1] - NODE * uy].map((n) => n.toFixed(1));
  const colour = COLOURS[dependency.kind];
  const what = dependency.kind === 'time' ? 'time' : `${dependency.kind} ${dependency.key}`;
  const dashes = dependency.kind === 'time' ? ' stroke-dasharray="4 3"' : '';
  return (
    `<path d="M${start.join(' ')}Q${mx.toFixed(1)} ${my.toFixed(1)} ${end.join(' ')}" fill="none" stroke="${colour}"${dashes} marker-end="url(#head-${dependency.kind})"/>` +
    `<text x="${mx.toFixed(1)}" y="${my.toFixed(1)}" text-anchor="middle" fill="${colour}">${escape(what)}</text>`
  );
}
