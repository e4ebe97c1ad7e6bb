/** Plain values for tests and for a look at the page: evidence of a stage, and a stage as the gate saw it. */
import type { EvidenceBody } from './evidence.ts';
import type { ControlResult, StageCollected } from './results.ts';

/** Evidence of a small passing run. */
export function evidenceBody(): EvidenceBody {
  return {
    format: 'lightning-db evidence',
    version: 1,
    stage: 'crash',
    mode: 'run',
    subject: { engine: 'lightning-db', version: '0.0.0' },
    runtime: { node: 'v24.0.0', platform: 'linux', architecture: 'x64' },
    sources: { hash: 'a'.repeat(64), files: 3 },
    edits: { applied: 0, processes: 0, hash: '', files: [] },
    seed: 7,
    profile: 'smoke',
    budgetSeconds: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
    durationSeconds: 1,
    cpuSeconds: 1,
    deterministic: true,
    eventHash: 'b'.repeat(64),
    counts: { cycles: 12 },
    situations: { 'torn tail': 3, 'never seen': 0 },
    figures: [],
    series: [],
    checks: [{ name: 'recovered states', verdict: 'pass', detail: 'all of them' }],
    failures: [],
    notTested: ['lying disks'],
    verdict: 'pass',
  };
}

/** A caught planted bug. */
export function controlResult(change: Partial<ControlResult> = {}): ControlResult {
  return {
    name: 'wal-early-acknowledgement',
    component: 'WAL',
    recreates: 'acknowledging before the fsync',
    failureClass: 'lost-acknowledged-write',
    difficulty: 'easy',
    outcome: 'caught',
    detail: '',
    secondsToKill: 0.4,
    operations: 2,
    story: ['put', 'power cut'],
    witness: 'w.json',
    cleanEngineFails: false,
    ...change,
  };
}

/** What was collected about a small passing stage. */
export function collected(change: Partial<StageCollected> = {}): StageCollected {
  return {
    evidence: { ...evidenceBody(), digest: '', seal: '' },
    refusal: undefined,
    repetition: { outcome: 'repeats', detail: '' },
    nullEdit: { outcome: 'passed', detail: '' },
    controls: [controlResult()],
    ...change,
  };
}
