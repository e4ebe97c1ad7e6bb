/** Asks tla-checker whether a trace is a behaviour of its model. */
import { fileURLToPath } from 'node:url';
import { sourceExtension } from '../src/report/sources-hash.ts';
import { runChild } from './child-process.ts';
import type { TraceEvent } from './trace-events.ts';
import { type Tampering, traceModule, type TraceSetting } from './trace-module.ts';
import { parseConfigurationFile } from './configuration-file.ts';
import { reasonsToRefuse } from './source-guard.ts';
import { interpretTlaChecker } from './tla-checker-runner.ts';

const TIME_LIMIT_SECONDS = 60;

/** What became of a trace. */
export type TraceVerdict =
  | { readonly verdict: 'accepted' }
  /** `at`: the first event that is no step of the model, from 1. */
  | { readonly verdict: 'rejected'; readonly at: number; readonly event: TraceEvent }
  | { readonly verdict: 'unknown' | 'broken'; readonly reason: string };

async function check(setting: TraceSetting, events: readonly TraceEvent[], tamperings: readonly Tampering[]) {
  const { model, configuration } = traceModule(setting, events, events.length + 1, tamperings);
  const reasons = reasonsToRefuse(model, parseConfigurationFile(configuration));
  if (reasons.length > 0) return { verdict: 'broken', reason: reasons.join('; ') } as const;
  const program = fileURLToPath(new URL(`./tla-checker-child${sourceExtension}`, import.meta.url));
  const child = await runChild(process.execPath, [program], {
    input: JSON.stringify({ model, configuration }),
    timeLimitSeconds: TIME_LIMIT_SECONDS,
  });
  return interpretTlaChecker(child, ['end'], TIME_LIMIT_SECONDS);
}

/** A trace has one behaviour: where it ends before the end of the trace, the next event is what the model cannot do. */
export async function validateTrace(setting: TraceSetting, events: readonly TraceEvent[]): Promise<TraceVerdict> {
  const outcome = await check(setting, events, []);
  if (outcome.verdict === 'violated') return { verdict: 'accepted' };
  if (outcome.verdict !== 'pass') return outcome;
  const at = outcome.distinctStates;
  return { verdict: 'rejected', at, event: events[at - 1] };
}

/** Whether some variant of a trace is accepted to its end. @throws nothing; `undefined` when it could not be judged */
export async function acceptsVariant(
  setting: TraceSetting,
  events: readonly TraceEvent[],
  tamperings: readonly Tampering[],
): Promise<boolean | undefined> {
  const outcome = await check(setting, events, tamperings);
  if (outcome.verdict === 'violated') return true;
  return outcome.verdict === 'pass' ? false : undefined;
}
