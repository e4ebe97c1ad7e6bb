/** Which fault has to strike in which phase: the cells of the matrix that no run may miss. More of them may be there. */
import type { FaultPhase } from './fault-phases.ts';

/** A cell: a fault by its name, in a phase. */
export interface FaultCell {
  readonly fault: string;
  readonly phase: FaultPhase;
}

const GROUPS: readonly { readonly faults: readonly string[]; readonly phases: readonly FaultPhase[] }[] = [
  {
    faults: ['bit rot', 'read EIO', 'short read', 'stale read'],
    phases: ['open', 'replay', 'read', 'merge', 'backup'],
  },
  {
    faults: ['lost write', 'misdirected write', 'short write', 'write EDQUOT', 'write EIO', 'write ENOSPC'],
    phases: ['replay', 'commit', 'flush', 'merge', 'collect', 'manifest swap', 'backup', 'close'],
  },
  {
    faults: ['sync EIO', 'sync ENOSPC'],
    phases: ['replay', 'commit', 'flush', 'merge', 'collect', 'manifest swap', 'backup', 'close'],
  },
  {
    faults: ['create EACCES', 'create EIO', 'create EMFILE', 'create EROFS'],
    phases: ['open', 'replay', 'flush', 'manifest swap', 'backup'],
  },
  {
    faults: ['open EACCES', 'open EIO', 'open EMFILE', 'open EROFS'],
    phases: ['open', 'replay', 'backup'],
  },
  {
    faults: ['rename EACCES', 'rename EIO', 'rename ENOSPC'],
    phases: ['manifest swap', 'backup'],
  },
  {
    faults: ['unlink EACCES', 'unlink EIO', 'unlink ENOSPC'],
    phases: ['replay', 'flush'],
  },
  {
    faults: ['syncDirectory EIO'],
    phases: ['replay', 'flush', 'manifest swap', 'backup'],
  },
  {
    faults: ['list EIO'],
    phases: ['open', 'backup'],
  },
  {
    faults: ['makeDirectory EACCES', 'makeDirectory EIO', 'makeDirectory ENOSPC'],
    phases: ['backup'],
  },
  {
    faults: ['truncate EACCES', 'truncate EIO', 'truncate ENOSPC'],
    phases: ['close'],
  },
];

/** Every cell that a run has to reach. */
export const FAULT_CELLS: readonly FaultCell[] = GROUPS.flatMap(({ faults, phases }) =>
  faults.flatMap((fault) => phases.map((phase) => ({ fault, phase }))),
);
