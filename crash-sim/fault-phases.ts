/** In which phase of a store's life a fault strikes: told from what its client is doing and from the file, not by the engine. */
import {
  type FaultEffect,
  FaultPlan,
  type LandedFault,
  type Operation,
  type PlannedFault,
} from '../src/faults/fault-plan.ts';

/** The phases, in the order of the matrix. */
export const PHASES = [
  'open',
  'replay',
  'commit',
  'read',
  'flush',
  'merge',
  'collect',
  'manifest swap',
  'backup',
  'close',
] as const;
/** One of {@link PHASES}. */
export type FaultPhase = (typeof PHASES)[number];

/** A fault that struck, and in which phase. */
export interface PlacedFault extends LandedFault {
  readonly phase: FaultPhase;
}

/** One call on the disk, whatever became of it. */
export interface DiskCall {
  readonly operation: Operation;
  readonly path: string;
  readonly lengthBytes: number;
  readonly phase: FaultPhase;
}

const READS = new Set(['get', 'scan', 'judge', 'openSnapshot', 'snapshotGet', 'snapshotScan', 'txGet', 'txScan']);

/** A plan of faults that knows in which phase each call is made. Tell it what the client does next. */
export class PhasedFaults extends FaultPlan {
  /** What the client is doing: an operation of its program, `open`, `close` or `judge`. */
  clientDoes = 'open';
  readonly placed: PlacedFault[] = [];
  private readonly onCall: ((call: DiskCall) => void) | undefined;
  private lastPath = '';

  constructor(faults: readonly PlannedFault[], onCall?: (call: DiskCall) => void) {
    super(faults);
    this.onCall = onCall;
  }

  override strike(operation: Operation, path: string, step: number, lengthBytes = 0): FaultEffect | undefined {
    // The sync of a folder belongs to what was done in it last.
    const file = operation === 'syncDirectory' && path === '' ? this.lastPath : path;
    if (operation !== 'syncDirectory' && operation !== 'list') this.lastPath = path;
    const phase = phaseOf(this.clientDoes, operation, file);
    this.onCall?.({ operation, path, lengthBytes, phase });
    const effect = super.strike(operation, path, step, lengthBytes);
    const landed = this.landed.at(-1);
    if (effect !== undefined && landed !== undefined) this.placed.push({ ...landed, phase });
    return effect;
  }
}

function phaseOf(clientDoes: string, operation: Operation, path: string): FaultPhase {
  const changes = operation !== 'read' && operation !== 'open' && operation !== 'list';
  if (path.startsWith('backup') || clientDoes === 'backup') return 'backup';
  if (path.startsWith('MANIFEST') && changes) return 'manifest swap';
  if (clientDoes === 'open') return path.startsWith('wal-') ? 'replay' : 'open';
  if (clientDoes === 'close' || clientDoes === 'collect') return clientDoes;
  if (clientDoes === 'flush') return 'flush';
  if (clientDoes === 'merge')
    return path.startsWith('wal-') || (path.startsWith('run-') && changes) ? 'flush' : 'merge';
  if (READS.has(clientDoes)) return 'read';
  if (path.startsWith('run-') && changes) return 'flush';
  return /^(tree|free|run)/.test(path) && changes ? 'merge' : 'commit';
}
