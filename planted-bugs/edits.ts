/**
 * Edits of source texts, as pure functions: shared by the module hook, which plants them, and by the gate, which works
 * out what the edited text must hash to. Imports nothing, because what the hook loads cannot be edited any more.
 */

/** One edit of one file. */
export interface Edit {
  /** Path of the source in a checkout, `src/engine/….ts`. */
  readonly file: string;
  /** Matches exactly once and holds no type annotation. */
  readonly find: string;
  readonly replace: string;
}

/** An edited text, or why the edit no longer fits. */
export type EditResult = { readonly text: string } | { readonly stale: string };

/** Where real bugs, sabotages and the null edit are; then the bugs of the miniature store the gate checks itself with. */
export const CATALOGUE_FOLDERS: readonly string[] = ['planted-bugs/catalogue', 'planted-bugs/miniature'];

/**
 * Guards of the models taken out of the engine, for replaying the counterexamples of the configurations that leave them
 * out. No stage is asked to catch them, and no gate draws them.
 */
export const GUARDS_FOLDER = 'planted-bugs/guards';

/** The path of a source in the form that runs: the stripped one ends in `.js`. */
export function fileInForm(file: string, packed: boolean): string {
  return packed ? file.replace(/\.ts$/, '.js') : file;
}

/** Source text in the form that runs. Without types, that form differs in the suffix of import specifiers only. */
export function textInForm(text: string, packed: boolean): string {
  return packed ? text.replaceAll(/(\.{1,2}\/[^'"\n]*)\.ts(?=['"])/g, '$1.js') : text;
}

/** Applies edits to one source, each of which must match exactly once. */
export function applyEdits(source: string, edits: readonly Edit[], packed: boolean): EditResult {
  let text = source;
  for (const edit of edits) {
    const find = textInForm(edit.find, packed);
    const count = find === '' ? 0 : text.split(find).length - 1;
    if (count !== 1) return { stale: `its text stands ${count} times in ${edit.file}` };
    text = text.replace(find, () => textInForm(edit.replace, packed));
  }
  return { text };
}
