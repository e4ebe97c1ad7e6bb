/** Machines for crash campaigns: how names survive, where writes tear, and which runtime faults strike. */
import type { Prng } from '../src/base/prng.ts';
import type { PlannedFault } from '../src/faults/fault-plan.ts';
import type { Machine } from './crash-case.ts';

/** Draws the machine it runs on; half of them have a runtime fault or two. */
export function generateMachine(random: Prng): Machine {
  const faults: PlannedFault[] = [];
  if (random.chance(0.5)) faults.push(generateFault(random));
  if (faults.length > 0 && random.chance(0.3)) faults.push(generateFault(random));
  return {
    directoryModel: random.pick(['strict', 'strict', 'journaled', 'ext4']),
    tearBytes: random.pick([512, 512, 4096]),
    faults,
  };
}

/**
 * A fault in the log, mostly, where commits are acknowledged; it begins behind the calls that make the store. Elsewhere
 * the first few calls are struck, because there are no more of them.
 */
function generateFault(random: Prng): PlannedFault {
  const inLog = random.chance(0.6);
  const path = inLog ? 'wal-*' : random.pick(['*', 'run-*', 'tree.db', 'free-*', 'MANIFEST*']);
  const nth = inLog ? random.between(3, 10) : random.between(1, path === '*' ? 20 : 4);
  const when = { path, nth, times: random.pick([1, 1, 1, 3]) };
  const writtenBytes = random.pick([0, 1, 20, 700]);
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
      return {
        when,
        effect: {
          operation: 'sync',
          error: random.pick(['EIO', 'ENOSPC']),
          survivors: random.pick(['none', 'none', 'all', 'every other sector']),
        },
      };
    case 3:
      return {
        when: { path: '*', nth: random.between(3, 20), times: 1 },
        effect: { operation: 'syncDirectory', error: 'EIO' },
      };
    case 4:
      return { when, effect: { operation: 'write', error: 'EIO', writtenBytes } };
    case 5:
      return { when: anywhere(random), effect: { operation: 'read', error: 'EIO' } };
    case 6:
      return {
        when: anywhere(random),
        effect: {
          operation: random.pick(['open', 'create']),
          error: random.pick(['EACCES', 'EROFS', 'EMFILE', 'ENFILE', 'ENOSPC', 'EIO']),
        },
      };
    case 7:
      return {
        when: anywhere(random),
        effect: {
          operation: random.pick(['truncate', 'rename', 'rename', 'unlink']),
          error: random.pick(['EIO', 'ENOSPC', 'EDQUOT', 'EACCES', 'EROFS']),
        },
      };
    default:
      return { when, effect: { operation: 'write', error: random.pick(['ENOSPC', 'EDQUOT']), writtenBytes } };
  }
}

/** On any file, early or late in a program; sometimes for several calls. */
function anywhere(random: Prng): PlannedFault['when'] {
  return { path: '*', nth: random.between(1, random.pick([4, 30])), times: random.pick([1, 1, 3]) };
}
