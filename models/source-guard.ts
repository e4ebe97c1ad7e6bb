/**
 * What tla-checker 0.9.0 does not understand and does not always say so. Each entry was measured: without this guard a
 * model could pass because half of it was not read.
 */
import { type ModelConfiguration } from './configuration-file.ts';

/** Modules that tla-checker has built in; any other `EXTENDS` is ignored without a word. */
const BUILT_IN_MODULES = new Set(['Naturals', 'Integers', 'Sequences', 'FiniteSets', 'TLC']);

/** The source without comments and strings, lines kept. */
export function withoutComments(source: string): string {
  return source
    .replace(/\(\*[\s\S]*?\*\)/g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/\\\*.*$/gm, '')
    .replace(/"[^"\n]*"/g, '""');
}

/**
 * Whether a consequent is followed by `/\` on its line: tla-checker reads `A => B /\ C` as `(A => B) /\ C`, TLC as
 * `A => (B /\ C)`. A bulleted list that starts right after the arrow is read alike by both.
 */
function hasAmbiguousImplication(line: string): boolean {
  for (let start = line.indexOf('=>'); start >= 0; start = line.indexOf('=>', start + 2)) {
    let depth = 0;
    let seenOperand = false;
    for (let i = start + 2; i < line.length && depth >= 0; i++) {
      const character = line[i];
      if ('([{'.includes(character)) depth++;
      else if (')]}'.includes(character)) depth--;
      else if (depth === 0 && line.startsWith('/\\', i) && seenOperand) return true;
      if (line.startsWith('/\\', i) || line.startsWith('\\/', i)) {
        if (!seenOperand) break;
        i++;
      } else if (character !== ' ') seenOperand = true;
    }
  }
  return false;
}

/**
 * Whether a disjunct holds an inline `LET` or `\A` outside brackets: tla-checker reads the disjuncts below `A /\ LET d == e IN B`
 * as part of B, so that with A false they are lost.
 * `\A` is open to the right in the same way; no small disjunction was found that misreads it, and it is refused all the same.
 * As brackets may span lines, depth counts from the disjunct's own line.
 */
function swallowsDisjuncts(line: string): boolean {
  const disjunct = /^\s*\\\/(.*)$/.exec(line);
  if (disjunct === null) return false;
  const [, text] = disjunct;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if ('([{'.includes(text[i])) depth++;
    else if (')]}'.includes(text[i])) depth--;
    else if (depth === 0 && /^\/\\\s*(LET\b|~?\s*\\A\b)/.test(text.slice(i))) return !/^\s*$/.test(text.slice(0, i));
  }
  return false;
}

/** Why tla-checker must not be asked about this model, one reason an entry; empty when it may. */
export function reasonsToRefuse(source: string, configuration: ModelConfiguration): string[] {
  const reasons: string[] = [];
  const text = withoutComments(source);
  const extended = [...text.matchAll(/^\s*EXTENDS\s+(.*)$/gm)].flatMap((match) =>
    match[1].split(',').map((s) => s.trim()),
  );
  for (const name of extended) {
    if (!BUILT_IN_MODULES.has(name))
      reasons.push(`EXTENDS ${name} would be ignored: only one flattened module is read`);
  }
  const blocks = text.match(/^\s*VARIABLES?\b/gm)?.length ?? 0;
  if (blocks !== 1) reasons.push(`${blocks} VARIABLES blocks, of which only the last would count`);
  if (/\bINSTANCE\b/.test(text)) reasons.push('INSTANCE is not supported');
  if (/\w\[[^\]\n]*\\in[^\]\n]*\]\s*==/.test(text)) reasons.push('f[x \\in S] == is not supported');
  if (/\bNat\b|\bInt\b/.test(text)) reasons.push('Nat ends at 100 there; write a range');
  text.split('\n').forEach((line, index) => {
    if (hasAmbiguousImplication(line))
      reasons.push(`line ${index + 1}: A => B /\\ C is read as (A => B) /\\ C; write brackets`);
    if (swallowsDisjuncts(line))
      reasons.push(`line ${index + 1}: an inline LET or \\A may swallow the disjuncts below; write brackets`);
  });
  if (configuration.invariants.length === 0) reasons.push('no INVARIANT: it would choose invariants by their names');
  if (configuration.properties.length > 0) reasons.push('temporal properties are judged by TLC alone');
  for (const section of configuration.unknownSections) reasons.push(`${section} would be ignored`);
  if (configuration.specification === '') reasons.push('no SPECIFICATION');
  return reasons;
}
