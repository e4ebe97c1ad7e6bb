/**
 * What each logged event says about its model: the step that it must be, and for each logged value the expression of the
 * model that it must equal. Kept apart, so that a refusal can show both sides.
 */
import type { ModelName } from './configurations.ts';

/** How one action is told from its event `e`. Expressions are TLA+ over the model's variables before the step. */
export interface StepRule {
  readonly action: string;
  /** What must hold before anything else is asked, in this order; later expressions may rely on earlier ones. */
  readonly when?: readonly string[];
  /** Logged value -> what the model has for it. */
  readonly says?: Readonly<Record<string, string>>;
  /** What else must hold of the logged values. */
  readonly holds?: readonly string[];
  /** The action of the model; `UNCHANGED` for an event that only looks. */
  readonly step: string;
}

/** Stands for "no variable changes". */
export const LOOKS_ONLY = 'LOOKS_ONLY';

const lives = 'TraceComplete(e.asks)';
const left = { left: 'live \\ {e.x}' };
const answered = (view: string): string => `TraceAnswered(e.asks, e.answers, ${view})`;

const MVCC_RULES: readonly StepRule[] = [
  { action: 'Put', says: { seq: 'Last + 1', w: 'e.asked' }, step: 'Put(e.w)' },
  {
    action: 'TransactionCommit',
    when: ['e.x \\in live'],
    says: { ...left, seq: 'Last + 1', w: 'e.asked', conflict: 'Conflict(e.w.keys, e.x.s)' },
    step: 'TransactionCommit(e.x, e.w, {})',
  },
  {
    action: 'Conflict',
    when: ['e.x \\in live'],
    says: { ...left, written: 'e.keys', conflict: 'Conflict(e.keys, e.x.s)' },
    step: 'Release(e.x)',
  },
  { action: 'SyncTo', step: 'SyncTo(e.durable)' },
  {
    action: 'Publish',
    when: [lives],
    says: { published: 'durable' },
    holds: [answered('durable, Now')],
    step: 'Publish',
  },
  {
    action: 'Freeze',
    when: [lives],
    says: { frozen: 'Len(frozen) + 1' },
    holds: [answered('published, Now')],
    step: 'Freeze',
  },
  {
    action: 'Flush',
    when: ['frozen # <<>>', lives],
    says: { frozen: 'Len(frozen) - 1', runs: 'Len(runs) + 1' },
    holds: [answered('published, Now')],
    step: 'Flush',
  },
  {
    action: 'MergeStart',
    when: ['~merge.running'],
    says: { left: 'Len(runs) - e.count' },
    step: 'MergeStart(e.count)',
  },
  {
    action: 'MergeEnd',
    when: [lives],
    says: { runs: 'Len(runs) - merge.count' },
    holds: [answered('published, Now')],
    step: 'MergeEnd',
  },
  { action: 'OpenSnapshot', says: { x: '[s |-> published, now |-> Now]' }, step: 'OpenSnapshot' },
  { action: 'Release', when: ['e.x \\in live'], says: left, step: 'Release(e.x)' },
  { action: 'ClockJumps', says: { now: 'Max(e.time, collect)' }, step: 'ClockJumps(e.time)' },
  {
    action: 'Read',
    when: ['TraceOneView(e.asks)'],
    holds: [answered('published, Now'), 'TraceStored(e.asks, e.answers)'],
    step: LOOKS_ONLY,
  },
  {
    action: 'Reopen',
    when: ['e.recovered \\in durable..Last'],
    says: { durable: 'e.recovered', frozen: 'Len(frozen)', runs: 'Len(runs)' },
    holds: ['TracePresent(e.asks)', answered('e.recovered, Max(clock, persisted)')],
    step: 'Reopen(e.recovered)',
  },
];

const NAMES_UNCHANGED = 'manifest.seen.flushed';
/** What a manifest names is fsynced before it is renamed, and so is the manifest: the model has them as one step. */
const fsynced = { unsynced: '{}' };

const WAL_RULES: readonly StepRule[] = [
  {
    action: 'Write',
    says: { inPlace: 'TRUE', f: 'current', id: 'nextId', seq: 'Last + 1', mark: 'durable' },
    step: 'Write',
  },
  { action: 'SyncBegin', when: ['Running'], says: { length: 'Len(files[current].data)' }, step: 'SyncBegin' },
  {
    action: 'SyncEnd',
    when: ['Running', 'syncing > 0'],
    says: { durable: 'files[current].data[syncing].seq' },
    step: 'SyncEnd',
  },
  { action: 'Acknowledge', says: { floor: 'Acknowledgeable' }, step: 'Acknowledge' },
  {
    action: 'RotateCreate',
    when: ['Running', 'e.f \\in Segments'],
    says: { last: 'durable' },
    step: 'RotateCreate(e.f)',
  },
  { action: 'RotateDirectoryFsync', step: 'RotateDirectoryFsync' },
  {
    action: 'RotateName',
    says: { segments: 'Append(Names, current)', flushed: NAMES_UNCHANGED, ...fsynced },
    step: 'RotateName',
  },
  { action: 'RotateSettle', step: 'RotateSettle' },
  { action: 'FlushWrite', step: 'FlushWrite' },
  { action: 'FlushFsync', step: 'FlushFsync' },
  { action: 'FlushEnter', step: 'FlushEnter' },
  { action: 'FlushName', says: { segments: 'Live(flush.upTo)', flushed: 'flush.upTo', ...fsynced }, step: 'FlushName' },
  { action: 'FlushSettle', step: 'FlushSettle' },
  {
    action: 'StructureNamed',
    when: ['Running'],
    says: { segments: 'Names', flushed: NAMES_UNCHANGED, ...fsynced },
    step: LOOKS_ONLY,
  },
  { action: 'StructureSynced', step: 'StructureSynced' },
  { action: 'Delete', when: ['e.f \\in Segments'], step: 'Delete(e.f)' },
  { action: 'ProcessKill', when: ['phase # "down"'], step: 'ProcessKill' },
  // A process that is being opened can be killed before it has done anything that the model knows.
  { action: 'KilledAgain', when: ['phase = "down"'], step: LOOKS_ONLY },
  {
    action: 'PowerCut',
    when: [
      'e.m \\in {manifest.seen, manifest.disk}',
      'e.entries \\subseteq Segments',
      'e.kept \\cap e.torn = {}',
      '(e.kept \\cup e.torn) \\subseteq TraceAllPlaces(e.entries)',
      'TraceKept(e)',
    ],
    says: {
      missing: '{ f \\in Segments : files[f].entry # "absent" } \\ e.entries',
      lost: 'TraceAllPlaces(e.entries) \\ (e.kept \\cup e.torn)',
    },
    // Bound to values first: tla-checker overflows its stack on an expression handed on under the same name.
    step: '(\\E kept \\in {e.kept}, torn \\in {e.torn}, entries \\in {e.entries}, m \\in {e.m} : PowerCut(kept, torn, entries, m))',
  },
  { action: 'RecoverRead', step: 'RecoverRead' },
  {
    action: 'RecoverCopy',
    when: ['phase = "read"', 'e.f \\in Segments'],
    says: { rest: '0', count: 'Len(Copies)' },
    holds: ['TraceCopied(e)'],
    step: 'RecoverCopy(e.f)',
  },
  { action: 'RecoverFsync', step: 'RecoverFsync' },
  { action: 'RecoverDirectoryFsync', step: 'RecoverDirectoryFsync' },
  {
    action: 'RecoverName',
    when: ['phase = "reentered"'],
    says: { segments: 'Append(SubSeq(Names, 1, Len(Names) - 1), current)', flushed: NAMES_UNCHANGED, ...fsynced },
    step: 'RecoverName',
  },
  { action: 'RecoverSettle', step: 'RecoverSettle' },
  { action: 'RecoverPublish', says: { last: 'Len(found.batches)' }, step: 'RecoverPublish' },
];

/** Each action of the models, as a trace knows it. */
export const STEP_RULES: Readonly<Record<ModelName, readonly StepRule[]>> = {
  MVCC: MVCC_RULES,
  WALRecovery: WAL_RULES,
};

/** The definitions that the rules of a model speak of. */
export const STEP_DEFINITIONS: Readonly<Record<ModelName, string>> = {
  MVCC: `
\\* Rule 2 on the history, from its end: the trace of a long run is read often.
TraceRead(k, s, now) ==
  LET back == CHOOSE d \\in 0..s : d = s \\/ (k \\in log[s - d].keys /\\ \\A j \\in 0..(d - 1) : ~(k \\in log[s - j].keys))
  IN IF back = s THEN 0 ELSE IF Gone(log[s - back], now) THEN 0 ELSE s - back

\\* What was asked at a live snapshot, or (at present) by whoever reads at (s, now), is answered as the history has it.
TraceAnswered(asks, answers, s, now) ==
  Len(answers) = Len(asks) /\\ \\A i \\in 1..Len(asks) :
    TraceRead(asks[i].k, IF asks[i].present THEN s ELSE asks[i].s, IF asks[i].present THEN now ELSE asks[i].now) = answers[i]

\\* The same of the versions that are stored.
TraceStored(asks, answers) ==
  \\A i \\in 1..Len(asks) :
    Read(Stored, asks[i].k, IF asks[i].present THEN published ELSE asks[i].s, IF asks[i].present THEN Now ELSE asks[i].now) = answers[i]

\\* Everybody who can read was asked for every key, once. A step of a process that was stopped before it could say so asks nobody.
TracePlace(ask) == <<ask.k, ask.present, ask.s, ask.now>>
TraceDistinct(asks) == Cardinality({ TracePlace(asks[i]) : i \\in 1..Len(asks) }) = Len(asks)
TraceKeys(asks) == \\A i \\in 1..Len(asks) : asks[i].k \\in Keys
TraceComplete(asks) ==
  \\/ Len(asks) = 0
  \\/ /\\ TraceDistinct(asks) /\\ TraceKeys(asks) /\\ Len(asks) = Cardinality(Keys) * (1 + Cardinality(live))
     /\\ \\A i \\in 1..Len(asks) :
          IF asks[i].present THEN asks[i].s = 0 /\\ asks[i].now = 0 ELSE [s |-> asks[i].s, now |-> asks[i].now] \\in live
TraceOneView(asks) ==
  /\\ TraceDistinct(asks) /\\ TraceKeys(asks) /\\ Len(asks) = Cardinality(Keys)
  /\\ \\A i \\in 1..Len(asks) :
       /\\ asks[i].present = asks[1].present /\\ asks[i].s = asks[1].s /\\ asks[i].now = asks[1].now
       /\\ IF asks[i].present THEN asks[i].s = 0 ELSE [s |-> asks[i].s, now |-> asks[i].now] \\in live
TracePresent(asks) ==
  TraceDistinct(asks) /\\ TraceKeys(asks) /\\ \\A i \\in 1..Len(asks) : asks[i].present /\\ asks[i].s = 0 /\\ asks[i].now = 0
`,
  WALRecovery: `
\\* A copy holds the records that recovery found, and nothing behind them.
TraceCopied(e) == \\A i \\in 1..e.count : e.ids[i] = Copies[i].id /\\ e.seqs[i] = Copies[i].seq

TracePlaces(f) == { At(f, i) : i \\in 1..Len(files[f].data) }
TraceAllPlaces(entries) == UNION { TracePlaces(f) : f \\in entries }

\\* What the disk lost is what the model lets it lose.
TraceKept(e) ==
  \\A f \\in Segments :
    /\\ (files[f].entry = "here" => f \\in e.entries)
    /\\ (files[f].entry = "absent" => ~(f \\in e.entries))
    /\\ (f \\in e.entries => \\A i \\in 1..Len(files[f].data) :
          IF files[f].data[i].id = 0 \\/ ~files[f].data[i].whole THEN TRUE
          ELSE i <= files[f].stable => At(f, i) \\in e.kept)
`,
};
