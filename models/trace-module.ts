/**
 * Trace modules: a model, flattened together with the events of one run. The module has one behaviour, or none: in each
 * step the next event must be a step of the model with the logged values. `at` is the place of the next event, `done` how
 * many were taken.
 *
 * An event is looked up by halving, and bound once by `\E e \in {…}`: both checkers evaluate an operator's argument again
 * wherever it is named, so that with the events as one sequence a step cost as much as all of the trace.
 */
import { LightningError } from '../src/base/errors.ts';
import { readText } from '../src/report/files.ts';
import { modelPath, type ModelName } from './configurations.ts';
import { withoutComments } from './source-guard.ts';
import { toTla, type TraceEvent } from './trace-events.ts';
import { LOOKS_ONLY, STEP_DEFINITIONS, STEP_RULES, type StepRule } from './trace-steps.ts';

/** A module and its configuration, as text. */
export interface TraceModule {
  readonly name: string;
  readonly model: string;
  readonly configuration: string;
}

/** What was done to a trace. Events count from 1. */
export type Tampering = {
  /** Whether the events' own numbers are ignored, so that the model alone must refuse it. Blind ones stand last. */
  readonly blind?: boolean;
} & (
  | { readonly kind: 'drop'; readonly event: number }
  /** `other` is the later one. */
  | { readonly kind: 'swap'; readonly event: number; readonly other: number }
  | { readonly kind: 'change'; readonly event: number; readonly to: TraceEvent }
);

/** What a module of one model needs besides the events. */
export interface TraceSetting {
  readonly model: ModelName;
  /** WALRecovery: every segment, and the one that the trace begins with. */
  readonly segments?: readonly number[];
  readonly first?: number;
}

/** What is asked of a module. */
export interface TraceQuestion {
  /** Variants of the trace, of which a behaviour may take one. */
  readonly tamperings?: readonly Tampering[];
  /** Whether a variant that reaches the end is a violation. */
  readonly variantsMustFail?: boolean;
  /** Whether a variant that reaches the end takes one more step, and so adds one state. */
  readonly countsVariants?: boolean;
  /** Expressions to evaluate in the state before this event, which is the last one; their values are the violation's last state. */
  readonly show?: { readonly before: number; readonly expressions: readonly string[] };
}

/** The variables of a model, in the order of its block. */
export function variablesOf(source: string): string[] {
  const block = /^VARIABLES\n([\s\S]*?)\n\n/m.exec(withoutComments(source));
  const names = block?.[1].match(/\w+/g) ?? [];
  if (names.length === 0) throw new LightningError('LIGHTNING_HARNESS', 'a model has one VARIABLES block');
  return names;
}

const MVCC_CONSTANTS = `  Keys = {"a", "b", "c"}
  MaxCommits = 100000
  MaxSnapshots = 100000
  MaxFrozen = 100000
  MaxRuns = 100000
  MaxBatch = 3
  MaxReads = 0
  MaxMerges = 100000
  MaxReopens = 100000
  MaxClock = 1000
  Deadlines = {}
  AllowClear = TRUE
  Omitted = {}
`;

function constantsOf(setting: TraceSetting): string {
  if (setting.model === 'MVCC') return MVCC_CONSTANTS;
  return `  MaxRecords = 100000
  Segments = {${(setting.segments ?? []).join(', ')}}
  MaxCrashes = 100000
  MaxFlushes = 100000
  Durability = "commit"
  Omitted = {}
`;
}

function ruleText(rule: StepRule, unchanged: string): string {
  const says = Object.entries(rule.says ?? {}).map(([name, expression]) => `e.${name} = ${expression}`);
  const conditions = [`e.action = "${rule.action}"`, ...(rule.when ?? []), ...says, ...(rule.holds ?? [])];
  const step = rule.step === LOOKS_ONLY ? unchanged : rule.step;
  return `  \\/ ${[...conditions.map((one) => `(${one})`), step].join(' /\\ ')}`;
}

/** `leaf(n)` for the n that is asked for, found by halving. */
function chosen(low: number, high: number, leaf: (n: number) => string): string {
  if (low === high) return leaf(low);
  const middle = (low + high) >> 1;
  return `(IF n <= ${middle} THEN\n${chosen(low, middle, leaf)} ELSE\n${chosen(middle + 1, high, leaf)})`;
}

interface Table {
  /** The events of the trace, and behind them those that stand for another. */
  readonly entries: readonly string[];
  /** For each event, the variants that begin there. */
  readonly branches: readonly string[];
}

function tableOf(events: readonly TraceEvent[], tamperings: readonly Tampering[]): Table {
  const entries = events.map((event) => toTla(event));
  const branches = events.map((): string[] => []);
  tamperings.forEach((tampering, index) => {
    const { kind, event } = tampering;
    const t = index + 1;
    const stays = { t, at: event, swap: [0, 0] };
    if (kind === 'swap') {
      branches[event - 1].push(toTla({ ...stays, place: tampering.other, swap: [event, tampering.other] }));
    } else if (kind === 'drop') {
      // Nothing is left to refuse when the last event is dropped.
      if (event < events.length) branches[event - 1].push(toTla({ ...stays, place: event + 1, at: event + 1 }));
    } else {
      entries.push(toTla(tampering.to));
      branches[event - 1].push(toTla({ ...stays, place: entries.length }));
    }
  });
  return { entries, branches: branches.map((some) => `{${some.join(', ')}}`) };
}

function lookups({ entries, branches }: Table, hasVariants: boolean): string {
  return `
EventAt(n) ==
  ${chosen(1, entries.length, (n) => entries[n - 1])}
BranchesAt(n) ==
  ${hasVariants ? chosen(1, branches.length, (n) => branches[n - 1]) : '{}'}
`;
}

/** The step that evaluates expressions instead of taking the event, and is a violation. */
function looking(show: TraceQuestion['show'], events: readonly TraceEvent[], variables: string): string {
  if (show === undefined) return '';
  const values = show.expressions.map((expression, index) => `/\\ shown${index}' = <<${expression}>>`);
  return `
  \\/ at = ${show.before} /\\ (\\E e \\in {${toTla(events[show.before - 1])}} :
       at' = 0 ${values.join(' ')} /\\ UNCHANGED <<done, tampered, swap, ${variables}>>)`;
}

/** The module that answers a question about a trace. There must be an event. */
export function traceModule(
  setting: TraceSetting,
  events: readonly TraceEvent[],
  question: TraceQuestion = {},
): TraceModule {
  const { tamperings = [], show, countsVariants = false } = question;
  const source = readText(modelPath(setting.model));
  const name = `${setting.model}Trace`;
  const variables = variablesOf(source).join(', ');
  const shown = show?.expressions.map((_, index) => `shown${index}`) ?? [];
  const kept = shown.map((one) => ` /\\ ${one}' = ${one}`).join('');
  const steps = STEP_RULES[setting.model].map((rule) => ruleText(rule, `UNCHANGED <<${variables}>>`));
  const init = setting.model === 'MVCC' ? 'Init' : `InitAt(${setting.first ?? 1})`;
  const end = events.length + 1;
  const firstBlind = 1 + tamperings.findIndex(({ blind }) => blind === true);
  const isBlind = firstBlind === 0 ? 'FALSE' : `t >= ${firstBlind}`;
  const table = tableOf(events, tamperings);
  const ended = countsVariants
    ? `
  \\/ at = ${end} /\\ tampered > 0 /\\ at' = 0 /\\ UNCHANGED <<done, tampered, swap, ${variables}>>`
    : '';
  const definitions = `
\\* The events of the trace, then those that stand for another.${lookups(table, tamperings.length > 0)}${STEP_DEFINITIONS[setting.model]}
Step(e) ==
${steps.join('\n')}

\\* Variants from ${firstBlind} on leave the numbers aside. \`swap\` is the pair of events in each other's place.
IsBlind(t) == ${isBlind}
Swapped(n) == IF n = swap[1] THEN swap[2] ELSE IF n = swap[2] THEN swap[1] ELSE n
Take(e, place, t) ==
  (IsBlind(t) \\/ e.n = done + 1) /\\ Step(e) /\\ at' = place + 1 /\\ done' = done + 1 /\\ tampered' = t${kept}
Goes == at # ${end} /\\ at # 0

TraceInit == ${init} /\\ at = 1 /\\ done = 0 /\\ tampered = 0 /\\ swap = <<0, 0>>${shown.map((one) => ` /\\ ${one} = <<>>`).join('')}
TraceNext ==
  \\/ Goes /\\ (\\E e \\in {EventAt(Swapped(at))} : Take(e, at, tampered) /\\ swap' = swap)
  \\/ Goes /\\ tampered = 0 /\\ (\\E b \\in BranchesAt(at) : \\E e \\in {EventAt(b.place)} : Take(e, b.at, b.t) /\\ swap' = b.swap)${ended}${looking(show, events, variables)}
traceVars == <<at, done, tampered, swap, ${[...shown, variables].join(', ')}>>
TraceSpec == TraceInit /\\ [][TraceNext]_traceVars

InvNothing == done >= 0
InvNoVariant == tampered = 0 \\/ at # ${end}
InvNotShown == at # 0
`;
  const model = source
    .replace(/MODULE (\w+) -/, `MODULE ${name} -`)
    .replace(/^VARIABLES\n/m, `VARIABLES\n  ${['at', 'done', 'tampered', 'swap', ...shown].join(', ')},\n`)
    .replace(/\n=+\s*$/, `\n${definitions}\n====\n`);
  const invariant =
    show !== undefined ? 'InvNotShown' : question.variantsMustFail === true ? 'InvNoVariant' : 'InvNothing';
  const configuration = `SPECIFICATION TraceSpec\nCONSTANTS\n${constantsOf(setting)}INVARIANTS\n  ${invariant}\n`;
  return { name, model, configuration };
}
