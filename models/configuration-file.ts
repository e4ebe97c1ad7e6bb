/** Reads the configuration files that TLC and tla-checker share, as far as a runner needs to. */

/** What one `.cfg` file asks for. */
export interface ModelConfiguration {
  readonly specification: string;
  /** In the order of the file: tla-checker names a violated one by its index. */
  readonly invariants: readonly string[];
  /** Temporal properties; TLC alone judges them. */
  readonly properties: readonly string[];
  /** Values of constants, as written. */
  readonly constants: ReadonlyMap<string, string>;
  /** The comment lines at the top. */
  readonly heading: readonly string[];
  /** Section keywords that no runner here understands, for example `CONSTRAINT`. */
  readonly unknownSections: readonly string[];
}

const SECTIONS = new Set([
  'SPECIFICATION',
  'CONSTANT',
  'CONSTANTS',
  'INVARIANT',
  'INVARIANTS',
  'PROPERTY',
  'PROPERTIES',
]);

/** A line that starts with a word in capitals opens a section; everything up to the next belongs to it. */
export function parseConfigurationFile(source: string): ModelConfiguration {
  const heading: string[] = [];
  const words = new Map<string, string[]>();
  const constants = new Map<string, string>();
  const unknownSections: string[] = [];
  let section = '';
  for (const line of source.split('\n')) {
    if (section === '' && line.startsWith('\\*')) heading.push(line.slice(2).trim());
    let text = line.replace(/\\\*.*$/, '').trim();
    const opening = /^([A-Z][A-Z_]+)\b(?!\s*=)/.exec(text);
    if (opening !== null) {
      section = opening[1];
      if (!SECTIONS.has(section)) unknownSections.push(section);
      text = text.slice(section.length).trim();
    }
    if (text === '') continue;
    const assignment = /^(\w+)\s*(=|<-)\s*(.*)$/.exec(text);
    if (section.startsWith('CONSTANT') && assignment !== null) {
      if (assignment[2] === '<-') unknownSections.push('<-');
      constants.set(assignment[1], assignment[3]);
    } else {
      const list = words.get(section) ?? [];
      list.push(...text.split(/\s+/));
      words.set(section, list);
    }
  }
  const of = (...names: readonly string[]): string[] => names.flatMap((name) => words.get(name) ?? []);
  return {
    specification: of('SPECIFICATION')[0] ?? '',
    invariants: of('INVARIANT', 'INVARIANTS'),
    properties: of('PROPERTY', 'PROPERTIES'),
    constants,
    heading,
    unknownSections,
  };
}
