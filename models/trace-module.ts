/**
 * Trace modules: a model, flattened together with the events of one run. The module has one behaviour, or none: in each
 * step the next event must be a step of the model with the logged values. `at` is the next event.
 */
import { LightningError } from '../src/base/errors.ts';
import { readText } from '../src/report/files.ts';
import { modelPath, type ModelName } from './configurations.ts';
import { withoutComments } from './source-guard.ts';
import { toTla, type TraceEvent } from './trace-events.ts';

/** A module and its configuration, as text. */
export interface TraceModule {
  readonly name: string;
  readonly model: string;
  readonly configuration: string;
}

/** Instead of an event: what a trace has that was tampered with. */
export interface Tampering {
  /** The event, from 1, at which it begins. */
  readonly from: number;
  readonly events: readonly TraceEvent[];
  /** The event with which the trace goes on. */
  readonly resume: number;
}

/** The variables of a model, in the order of its block. */
export function variablesOf(source: string): string[] {
  const block = /^VARIABLES\n([\s\S]*?)\n\n/m.exec(withoutComments(source));
  const names = block?.[1].match(/\w+/g) ?? [];
  if (names.length === 0) throw new LightningError('LIGHTNING_HARNESS', 'a model has one VARIABLES block');
  return names;
}

const MVCC_STEPS = `
\\* Rule 2 on the history, from its end: the trace of a long run is read often.
TraceRead(k, s, now) ==
  LET back == CHOOSE d \\in 0..s : d = s \\/ (k \\in log[s - d].keys /\\ \\A e \\in 0..(d - 1) : ~(k \\in log[s - e].keys))
  IN IF back = s THEN 0 ELSE IF Gone(log[s - back], now) THEN 0 ELSE s - back

\\* What could be read by the live snapshots, and by those that read at (s, now), as the history has it.
TraceAnswersAt(answers, s, now) ==
  \\A i \\in 1..Len(answers) :
    TraceRead(answers[i].k, IF answers[i].present THEN s ELSE answers[i].s, IF answers[i].present THEN now ELSE answers[i].now) = answers[i].seq

TraceStored(answers) ==
  \\A i \\in 1..Len(answers) :
    Read(Stored, answers[i].k, IF answers[i].present THEN published ELSE answers[i].s, IF answers[i].present THEN Now ELSE answers[i].now) = answers[i].seq

TraceLives(answers) ==
  \\A i \\in 1..Len(answers) : answers[i].present \\/ [s |-> answers[i].s, now |-> answers[i].now] \\in live

TraceSame(answers) == TraceLives(answers) /\\ TraceAnswersAt(answers, published, Now)

Step(e) ==
  \\/ e.action = "Put" /\\ e.w = e.asked /\\ e.seq = Last + 1 /\\ Put(e.w)
  \\/ e.action = "TransactionCommit" /\\ e.w = e.asked /\\ e.seq = Last + 1 /\\ e.x \\in live /\\ TransactionCommit(e.x, e.w, {})
  \\/ e.action = "Conflict" /\\ e.x \\in live /\\ Conflict(e.keys, e.x.s) /\\ Release(e.x)
  \\/ e.action = "SyncTo" /\\ SyncTo(e.durable)
  \\/ e.action = "Publish" /\\ e.published = durable /\\ TraceLives(e.answers) /\\ TraceAnswersAt(e.answers, durable, Now) /\\ Publish
  \\/ e.action = "Freeze" /\\ e.frozen = Len(frozen) + 1 /\\ TraceSame(e.answers) /\\ Freeze
  \\/ e.action = "Flush" /\\ e.frozen = Len(frozen) - 1 /\\ e.runs = Len(runs) + 1 /\\ TraceSame(e.answers) /\\ Flush
  \\/ e.action = "MergeStart" /\\ ~merge.running /\\ e.count <= Len(runs) /\\ MergeStart(e.count)
  \\/ e.action = "MergeEnd" /\\ e.runs = Len(runs) - merge.count /\\ TraceSame(e.answers) /\\ MergeEnd
  \\/ e.action = "OpenSnapshot" /\\ e.x = [s |-> published, now |-> Now] /\\ OpenSnapshot
  \\/ e.action = "Release" /\\ e.x \\in live /\\ Release(e.x)
  \\/ e.action = "ClockJumps" /\\ ClockJumps(e.time)
  \\/ e.action = "Read" /\\ TraceSame(e.answers) /\\ TraceStored(e.answers) /\\ UNCHANGED <<VARS>>
  \\/ e.action = "Reopen" /\\ e.frozen = Len(frozen) /\\ e.runs = Len(runs) /\\ Reopen(e.recovered) /\\ TraceAnswersAt(e.answers, e.recovered, Max(clock, persisted))
`;

const WAL_STEPS = `
TraceNames(e) == [segments |-> e.segments, flushed |-> e.flushed]

\\* A copy holds the records that recovery found, and nothing behind them.
TraceCopies(e) ==
  /\\ e.rest = 0 /\\ Len(e.copies) = Len(Copies)
  /\\ \\A i \\in 1..Len(e.copies) : e.copies[i].id = Copies[i].id /\\ e.copies[i].seq = Copies[i].seq

\\* What the disk lost is what the model lets it lose.
TraceKept(e) ==
  \\A f \\in Segments :
    /\\ (files[f].entry = "here" => f \\in e.entries)
    /\\ (files[f].entry = "absent" => ~(f \\in e.entries))
    /\\ (f \\in e.entries => \\A i \\in 1..Len(files[f].data) :
          IF files[f].data[i].id = 0 \\/ ~files[f].data[i].whole THEN TRUE
          ELSE i <= files[f].stable => At(f, i) \\in e.kept)

Step(e) ==
  \\/ e.action = "Write" /\\ e.inPlace /\\ e.f = current /\\ e.id = nextId /\\ e.seq = Last + 1 /\\ e.mark = durable /\\ Write
  \\/ e.action = "SyncBegin" /\\ e.length = Len(files[current].data) /\\ SyncBegin
  \\/ e.action = "SyncEnd" /\\ Running /\\ syncing > 0 /\\ e.durable = files[current].data[syncing].seq /\\ SyncEnd
  \\/ e.action = "Acknowledge" /\\ e.floor = Acknowledgeable /\\ Acknowledge
  \\/ e.action = "RotateCreate" /\\ Running /\\ e.durable = durable /\\ durable = Last /\\ RotateCreate(e.f)
  \\/ e.action = "RotateDirectoryFsync" /\\ RotateDirectoryFsync
  \\/ e.action = "RotateName" /\\ TraceNames(e) = [segments |-> Append(Names, current), flushed |-> manifest.seen.flushed] /\\ RotateName
  \\/ e.action = "RotateSettle" /\\ RotateSettle
  \\/ e.action = "FlushWrite" /\\ FlushWrite
  \\/ e.action = "FlushFsync" /\\ FlushFsync
  \\/ e.action = "FlushEnter" /\\ FlushEnter
  \\/ e.action = "FlushName" /\\ TraceNames(e) = [segments |-> Live(flush.upTo), flushed |-> flush.upTo] /\\ FlushName
  \\/ e.action = "FlushSettle" /\\ FlushSettle
  \\/ e.action = "StructureNamed" /\\ Running /\\ TraceNames(e) = manifest.seen /\\ UNCHANGED <<VARS>>
  \\/ e.action = "StructureSynced" /\\ StructureSynced
  \\/ e.action = "Delete" /\\ Delete(e.f)
  \\/ e.action = "ProcessKill" /\\ phase # "down" /\\ ProcessKill
  \\/ e.action = "ProcessKill" /\\ phase = "down" /\\ UNCHANGED <<VARS>>
  \\/ e.action = "PowerCut" /\\ e.m \\in {manifest.seen, manifest.disk} /\\ TraceKept(e) /\\ PowerCut(e.kept, e.torn, e.entries, e.m)
  \\/ e.action = "RecoverRead" /\\ RecoverRead
  \\/ e.action = "RecoverCopy" /\\ phase = "read" /\\ TraceCopies(e) /\\ RecoverCopy(e.f)
  \\/ e.action = "RecoverFsync" /\\ RecoverFsync
  \\/ e.action = "RecoverDirectoryFsync" /\\ RecoverDirectoryFsync
  \\/ e.action = "RecoverName" /\\ phase = "reentered"
       /\\ TraceNames(e) = [segments |-> Append(SubSeq(Names, 1, Len(Names) - 1), current), flushed |-> manifest.seen.flushed]
       /\\ RecoverName
  \\/ e.action = "RecoverSettle" /\\ RecoverSettle
  \\/ e.action = "RecoverPublish" /\\ e.last = Len(found.batches) /\\ RecoverPublish
`;

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

/** What a module of one model needs besides the events. */
export interface TraceSetting {
  readonly model: ModelName;
  /** WALRecovery: every segment, and the one that the trace begins with. */
  readonly segments?: readonly number[];
  readonly first?: number;
}

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

/**
 * The module of a trace.
 * @param endsAt the invariant `NotThere` is violated when that event is next: one past the last, and the violation says
 *   that the trace was accepted
 * @param tamperings variants of the trace, of which a behaviour may take one
 */
export function traceModule(
  setting: TraceSetting,
  events: readonly TraceEvent[],
  endsAt: number,
  tamperings: readonly Tampering[] = [],
): TraceModule {
  const source = readText(modelPath(setting.model));
  const name = `${setting.model}Trace`;
  const variables = variablesOf(source).join(', ');
  const steps = (setting.model === 'MVCC' ? MVCC_STEPS : WAL_STEPS).replaceAll('VARS', variables);
  const init = setting.model === 'MVCC' ? 'Init' : `InitAt(${setting.first ?? 1})`;
  const variants = tamperings.map(({ from, events: replaced, resume }) => toTla({ from, events: replaced, resume }));
  const definitions = `
Trace == <<
${events.map(toTla).join(',\n')}
>>
Variants == <<
${variants.join(',\n')}
>>
${steps}
Original(n) == tampered = 0 /\\ n <= Len(Trace) /\\ Trace[n].n = n /\\ Step(Trace[n]) /\\ tampered' = 0 /\\ at' = n + 1

\\* A variant goes its own way from the event where it begins.
Place(v, n) == n - v.from + 1
EventOf(v, n) ==
  IF Place(v, n) <= Len(v.events) THEN v.events[Place(v, n)] ELSE Trace[v.resume + Place(v, n) - Len(v.events) - 1]
Has(v, n) == Place(v, n) <= Len(v.events) + Len(Trace) - v.resume + 1
Varied(t, n) ==
  /\\ Has(Variants[t], n) /\\ EventOf(Variants[t], n).n = n /\\ Step(EventOf(Variants[t], n))
  /\\ tampered' = t /\\ at' = n + 1

TraceInit == ${init} /\\ at = 1 /\\ tampered = 0
TraceNext ==
  \\/ Original(at)
  \\/ tampered > 0 /\\ Varied(tampered, at)
  \\/ tampered = 0 /\\ \\E t \\in 1..Len(Variants) : Variants[t].from = at /\\ Varied(t, at)
traceVars == <<at, tampered, ${variables}>>
TraceSpec == TraceInit /\\ [][TraceNext]_traceVars

NotThere == at < ${endsAt}
NoVariant == tampered = 0 \\/ at <= Len(Trace) + Len(Variants[tampered].events) + Variants[tampered].from - Variants[tampered].resume
`;
  const model = source
    .replace(/MODULE (\w+) -/, `MODULE ${name} -`)
    .replace(
      /^VARIABLES\n/m,
      'VARIABLES\n  at,         \\* the next event\n  tampered,   \\* the variant that this behaviour follows; 0 for the trace itself\n',
    )
    .replace(/\n=+\s*$/, `\n${definitions}\n====\n`);
  const invariant = tamperings.length > 0 ? 'NoVariant' : 'NotThere';
  const configuration = `SPECIFICATION TraceSpec\nCONSTANTS\n${constantsOf(setting)}INVARIANTS\n  ${invariant}\n`;
  return { name, model, configuration };
}
