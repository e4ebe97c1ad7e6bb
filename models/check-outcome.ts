/** What a model checker said about one configuration, in the same words for both checkers. */

/** One state of a counterexample. */
export interface TraceState {
  /** The action that led here, when the checker names it. */
  readonly action: string;
  /** Variables and their values, as printed. */
  readonly values: ReadonlyMap<string, string>;
}

/** The outcome of one check. */
export type CheckOutcome =
  | { readonly verdict: 'pass'; readonly distinctStates: number; readonly depth: number | undefined }
  | {
      readonly verdict: 'violated';
      /** Name of the violated invariant or property. */
      readonly invariant: string;
      readonly distinctStates: number;
      readonly trace: readonly TraceState[];
    }
  /** Not judged: no Java, no jar, out of time. */
  | { readonly verdict: 'unknown'; readonly reason: string }
  /** The checker could not read or evaluate the model: the model or the runner is wrong. */
  | { readonly verdict: 'broken'; readonly reason: string };

/** One configuration to check. */
export interface CheckRequest {
  readonly modelPath: string;
  readonly configurationPath: string;
  readonly timeLimitSeconds: number;
  /** A folder for what the checker writes. */
  readonly workDirectory: string;
}

/** Splits `x = 1` or `/\ x = 1` lines, values over several lines included, into names and values. */
export function parseAssignments(lines: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  let name = '';
  for (const line of lines) {
    const match = /^\s*(?:\/\\ )?([A-Za-z]\w*) = (.*)$/.exec(line);
    if (match !== null) {
      name = match[1];
      values.set(name, match[2].trim());
    } else if (name !== '' && line.trim() !== '') {
      values.set(name, `${values.get(name) ?? ''} ${line.trim()}`);
    }
  }
  return values;
}

/** A counterexample as lines: the first state whole, of each later one only what changed. */
export function describeTrace(trace: readonly TraceState[]): string[] {
  const lines: string[] = [];
  let before: ReadonlyMap<string, string> = new Map();
  trace.forEach((state, index) => {
    lines.push(`${index + 1}. ${index === 0 ? 'Initially' : state.action === '' ? 'Then' : state.action}`);
    for (const [name, value] of state.values) {
      if (before.get(name) !== value) lines.push(`     ${name} = ${value}`);
    }
    before = state.values;
  });
  return lines;
}
