/**
 * Asks a checker whether traces are behaviours of their models: tla-checker everywhere, TLC for the longest ones.
 * A trace has one behaviour: where it ends before the end of the trace, the next event is what the model cannot do.
 */
import { join } from 'node:path';
import { makeDirectory, removeTree, writeWhole } from '../src/report/files.ts';
import type { CheckOutcome } from './check-outcome.ts';
import { parseConfigurationFile } from './configuration-file.ts';
import { reasonsToRefuse } from './source-guard.ts';
import { askTlaChecker, interpretTlaChecker } from './tla-checker-runner.ts';
import { runTlc, type TlcInstallation } from './tlc-runner.ts';
import type { TraceEvent } from './trace-events.ts';
import {
  type Tampering,
  traceModule,
  type TraceModule,
  type TraceQuestion,
  type TraceSetting,
} from './trace-module.ts';

/** Far above what is measured: a machine may be busy with other things. */
const TIME_LIMIT_SECONDS = 300;

/** One trace and the model that it is held to. */
export interface Trace {
  readonly setting: TraceSetting;
  readonly events: readonly TraceEvent[];
}

/** `at`: the first event that is no step of the model, from 1. */
export interface Rejection {
  readonly verdict: 'rejected';
  readonly at: number;
  readonly event: TraceEvent;
}

/** What became of a trace. */
export type TraceVerdict =
  { readonly verdict: 'accepted' } | Rejection | { readonly verdict: 'unknown' | 'broken'; readonly reason: string };

/** Asks tla-checker about all of these modules in one process. */
export async function checkModules(modules: readonly TraceModule[]): Promise<readonly CheckOutcome[]> {
  const refused = modules.map((one) => reasonsToRefuse(one.model, parseConfigurationFile(one.configuration)));
  const asked = modules.filter((_, index) => refused[index].length === 0);
  const answers = await askTlaChecker(asked, TIME_LIMIT_SECONDS);
  let next = 0;
  return modules.map(({ configuration }, index): CheckOutcome => {
    if (refused[index].length > 0) return { verdict: 'broken', reason: refused[index].join('; ') };
    const { invariants } = parseConfigurationFile(configuration);
    return interpretTlaChecker(answers[next++], invariants, TIME_LIMIT_SECONDS);
  });
}

function verdictOf(outcome: CheckOutcome, events: readonly TraceEvent[]): TraceVerdict {
  if (outcome.verdict === 'violated') return { verdict: 'broken', reason: `a trace violated ${outcome.invariant}` };
  if (outcome.verdict !== 'pass') return outcome;
  // The first state, and one more for each event that was taken.
  const at = outcome.distinctStates;
  if (at === events.length + 1) return { verdict: 'accepted' };
  if (at > events.length) return { verdict: 'broken', reason: `${at} states for ${events.length} events` };
  return { verdict: 'rejected', at, event: events[at - 1] };
}

/** Judges traces with tla-checker, in one process. An empty trace is accepted. */
export async function validateTraces(traces: readonly Trace[]): Promise<readonly TraceVerdict[]> {
  const asked = traces.filter(({ events }) => events.length > 0);
  const outcomes = await checkModules(asked.map(({ setting, events }) => traceModule(setting, events)));
  let next = 0;
  return traces.map(({ events }) =>
    events.length === 0 ? { verdict: 'accepted' } : verdictOf(outcomes[next++], events),
  );
}

/** Judges one trace with TLC. @param workDirectory a folder for the module and what TLC writes */
export async function validateWithTlc(
  { setting, events }: Trace,
  installation: TlcInstallation,
  workDirectory: string,
  timeLimitSeconds: number,
): Promise<TraceVerdict> {
  const { name, model, configuration } = traceModule(setting, events);
  const folder = join(workDirectory, `trace-${process.pid}-${folderNumber++}`);
  makeDirectory(folder);
  try {
    const modelPath = join(folder, `${name}.tla`);
    const configurationPath = join(folder, `${name}.cfg`);
    writeWhole(modelPath, model);
    writeWhole(configurationPath, configuration);
    const request = { modelPath, configurationPath, timeLimitSeconds, workDirectory: folder };
    return verdictOf(await runTlc(request, installation), events);
  } finally {
    removeTree(folder);
  }
}

let folderNumber = 0;

/** What became of variants of an accepted trace. */
export type VariantsVerdict =
  | {
      readonly judged: true;
      /** Of those with numbers: one that was accepted to its end, which none may be. */
      readonly accepted: Tampering | undefined;
      /** How many of the blind ones the model alone refused. */
      readonly refusedBlindly: number;
    }
  | { readonly judged: false; readonly reason: string };

/** Judges variants of an accepted trace, in one process. */
export async function judgeVariants(
  { setting, events }: Trace,
  numbered: readonly Tampering[],
  blind: readonly Tampering[],
): Promise<VariantsVerdict> {
  // A changed name of a segment must be one that the model knows.
  const segments = [...new Set(setting.segments?.flatMap((segment) => [segment, segment + 1]))];
  const ask = (question: TraceQuestion): TraceModule => traceModule({ ...setting, segments }, events, question);
  const strictly = ask({ tamperings: numbered, variantsMustFail: true });
  const counted =
    blind.length === 0 ? [] : [ask({ tamperings: blind }), ask({ tamperings: blind, countsVariants: true })];
  const [strict, ...counts] = await checkModules([strictly, ...counted]);
  if (strict.verdict === 'unknown' || strict.verdict === 'broken') return { judged: false, reason: strict.reason };
  const states: number[] = [];
  for (const one of counts) {
    if (one.verdict === 'violated') return { judged: false, reason: `a trace violated ${one.invariant}` };
    if (one.verdict !== 'pass') return { judged: false, reason: one.reason };
    states.push(one.distinctStates);
  }
  const [plain = 0, counting = 0] = states;
  const index = strict.verdict === 'pass' ? undefined : Number(strict.trace.at(-1)?.values.get('tampered'));
  return {
    judged: true,
    accepted: index === undefined ? undefined : numbered[index - 1],
    refusedBlindly: blind.length - (counting - plain),
  };
}
