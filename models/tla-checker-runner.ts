/** Asks tla-checker (npm, WebAssembly, no Java) about one configuration: safety only. */
import { fileURLToPath } from 'node:url';
import { readText } from '../src/report/files.ts';
import { sourceExtension } from '../src/report/sources-hash.ts';
import { type CheckOutcome, type CheckRequest, parseAssignments, type TraceState } from './check-outcome.ts';
import { type ChildResult, runChild } from './child-process.ts';
import { parseConfigurationFile } from './configuration-file.ts';
import { reasonsToRefuse } from './source-guard.ts';

interface Answer {
  readonly success: boolean;
  readonly error_type: string | null;
  readonly error_message: string | null;
  readonly states_explored: number;
  readonly trace: readonly string[] | null;
  readonly warnings: readonly string[];
}

function isAnswer(value: unknown): value is Answer {
  return (
    typeof value === 'object' &&
    value !== null &&
    'success' in value &&
    typeof value.success === 'boolean' &&
    'states_explored' in value &&
    typeof value.states_explored === 'number'
  );
}

function parseTrace(trace: readonly string[]): TraceState[] {
  return trace
    .join('\n')
    .split(/^State \d+.*$/m)
    .map((block) => parseAssignments(block.split('\n')))
    .filter((values) => values.size > 0)
    .map((values) => ({ action: '', values }));
}

/** Turns what the checker printed into an outcome. `invariants` in the order of the configuration file. */
export function interpretTlaChecker(
  child: ChildResult,
  invariants: readonly string[],
  limitSeconds: number,
): CheckOutcome {
  if (child.timedOut) return { verdict: 'unknown', reason: `tla-checker did not end within ${limitSeconds} s` };
  if (child.startError !== undefined || child.exitCode !== 0) {
    return {
      verdict: 'broken',
      reason: `tla-checker died: ${child.startError?.message ?? child.errors.slice(0, 400)}`,
    };
  }
  let answer: unknown;
  try {
    answer = JSON.parse(child.output);
  } catch {
    return { verdict: 'broken', reason: 'tla-checker did not answer in JSON' };
  }
  if (!isAnswer(answer)) return { verdict: 'broken', reason: 'tla-checker answered in an unknown form' };
  if (answer.success) {
    if (answer.warnings.length > 0) return { verdict: 'broken', reason: `warnings: ${answer.warnings.join('; ')}` };
    return { verdict: 'pass', distinctStates: answer.states_explored, depth: undefined };
  }
  const index = /^Invariant (\d+) violated$/.exec(answer.error_message ?? '');
  const invariant = index === null ? undefined : invariants.at(Number(index[1]));
  if (answer.error_type !== 'InvariantViolation' || invariant === undefined) {
    return { verdict: 'broken', reason: `${answer.error_type ?? 'error'}: ${answer.error_message ?? ''}` };
  }
  const trace = parseTrace(answer.trace ?? []);
  return { verdict: 'violated', invariant, distinctStates: answer.states_explored, trace };
}

/** Checks one configuration in a process of its own. */
export async function runTlaChecker(request: CheckRequest): Promise<CheckOutcome> {
  const [outcome] = await runTlaCheckerOnAll([request]);
  return outcome;
}

/**
 * Checks several configurations one after the other in one process: starting it costs more than a small one.
 * @param requests the time limit of the first is that of all together
 * @returns an outcome for each, in their order; what the process did not reach is unknown
 */
export async function runTlaCheckerOnAll(requests: readonly CheckRequest[]): Promise<CheckOutcome[]> {
  const sources = requests.map(({ modelPath, configurationPath }) => {
    const model = readText(modelPath);
    const configuration = readText(configurationPath);
    const parsed = parseConfigurationFile(configuration);
    return { model, configuration, invariants: parsed.invariants, refusal: reasonsToRefuse(model, parsed) };
  });
  const accepted = sources.filter(({ refusal }) => refusal.length === 0);
  const { timeLimitSeconds } = requests[0];
  const answers = await askTlaChecker(accepted, timeLimitSeconds);
  return sources.map((source) => {
    if (source.refusal.length > 0) return { verdict: 'broken', reason: source.refusal.join('; ') };
    return interpretTlaChecker(answers[accepted.indexOf(source)], source.invariants, timeLimitSeconds);
  });
}

/** A model and its configuration, as text. */
export interface CheckerInput {
  readonly model: string;
  readonly configuration: string;
}

/**
 * Asks about several models in one process, one after the other. Each answer stands for a child of its own: what the
 * process said before it died or ran out of time stands, the others have its exit code.
 */
export async function askTlaChecker(
  inputs: readonly CheckerInput[],
  timeLimitSeconds: number,
): Promise<readonly ChildResult[]> {
  const program = fileURLToPath(new URL(`./tla-checker-child${sourceExtension}`, import.meta.url));
  const input = JSON.stringify(inputs.map(({ model, configuration }) => ({ model, configuration })));
  const child = await runChild(process.execPath, [program], { input, timeLimitSeconds });
  // The last one is what follows the last line's end.
  const lines = child.output.split('\n').slice(0, -1);
  return inputs.map((_, index) =>
    index < lines.length ? { ...child, timedOut: false, exitCode: 0, output: lines[index] } : { ...child, output: '' },
  );
}
