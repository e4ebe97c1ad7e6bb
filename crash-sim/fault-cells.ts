/** Which fault can strike in which phase: the cells of the matrix. One that no run reaches is a hole. */
import { type FaultPhase, PHASES } from './fault-phases.ts';

/** A cell: a fault by its name, in a phase. */
export interface FaultCell {
  readonly fault: string;
  readonly phase: FaultPhase;
}

const GROUPS: readonly { readonly faults: readonly string[]; readonly phases: readonly FaultPhase[] }[] = [
  {
    faults: ['bit rot', 'read EIO', 'short read', 'stale read'],
    phases: ['open', 'replay', 'commit', 'read', 'flush', 'merge', 'backup', 'close'],
  },
  {
    faults: ['create EACCES', 'create EIO', 'create EMFILE', 'create EROFS'],
    phases: ['open', 'replay', 'flush', 'merge', 'manifest swap', 'backup'],
  },
  {
    faults: ['list EIO'],
    phases: ['open', 'backup'],
  },
  {
    faults: ['lost write', 'misdirected write', 'short write', 'write EDQUOT', 'write EIO', 'write ENOSPC'],
    phases: ['replay', 'commit', 'flush', 'merge', 'manifest swap', 'backup', 'close'],
  },
  {
    faults: ['sync EIO', 'sync ENOSPC'],
    phases: ['replay', 'commit', 'flush', 'merge', 'collect', 'manifest swap', 'backup', 'close'],
  },
  {
    faults: ['makeDirectory EACCES', 'makeDirectory EIO', 'makeDirectory ENOSPC'],
    phases: ['backup'],
  },
  {
    faults: ['open EACCES', 'open EIO', 'open EMFILE', 'open EROFS'],
    phases: ['open', 'replay', 'flush', 'merge', 'backup'],
  },
  {
    faults: ['rename EACCES', 'rename EIO', 'rename ENOSPC'],
    phases: ['manifest swap', 'backup'],
  },
  {
    faults: ['syncDirectory EIO'],
    phases: ['replay', 'flush', 'merge', 'manifest swap', 'backup'],
  },
  {
    faults: ['truncate EACCES', 'truncate EIO', 'truncate ENOSPC'],
    phases: ['close'],
  },
  {
    faults: ['unlink EACCES', 'unlink EIO', 'unlink ENOSPC'],
    phases: ['replay', 'flush'],
  },
];

/** Every cell that a run has to reach. */
export const FAULT_CELLS: readonly FaultCell[] = GROUPS.flatMap(({ faults, phases }) =>
  faults.flatMap((fault) => phases.map((phase) => ({ fault, phase }))),
);

/** The matrix as lines of text: per fault, how often it landed in each phase, and of that in the middle and noticed. */
export function matrixLines(cellText: (cell: FaultCell) => string): string[] {
  const faults = [...new Set(FAULT_CELLS.map(({ fault }) => fault))].sort();
  return faults.map((fault) => {
    const cells = PHASES.flatMap((phase) => {
      const text = cellText({ fault, phase });
      return text === '' ? [] : [`${phase} ${text}`];
    });
    return `${fault}: ${cells.join(', ')}`;
  });
}
