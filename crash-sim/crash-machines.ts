/** Machines for crash campaigns: how names survive, where writes tear, and which runtime faults strike. */
import type { Prng } from '../src/base/prng.ts';
import type { PlannedFault } from '../src/faults/fault-plan.ts';
import type { Machine } from './crash-case.ts';

/** What the faults of a machine may do (spec/disk.md, section 6). */
type Budget = 'none' | 'survive' | 'detect' | 'unbounded';

const BUDGETS: readonly Budget[] = ['none', 'survive', 'detect', 'unbounded'];
const BUDGET_WEIGHTS = [4, 4, 1.5, 0.5];
const UNBOUNDED_FAULTS_MAX = 8;

/**
 * Draws the machine it runs on: without faults, with one or two that must be survived, with one that must only be
 * detected (and perhaps one more to survive), or with many of every kind.
 */
export function generateMachine(random: Prng): Machine {
  return {
    directoryModel: random.pick(['strict', 'strict', 'journaled', 'ext4']),
    tearBytes: random.pick([512, 512, 4096]),
    faults: drawFaults(random, BUDGETS[random.weighted(BUDGET_WEIGHTS)]),
  };
}

function drawFaults(random: Prng, budget: Budget): PlannedFault[] {
  const more = random.chance(0.3) ? [survivableFault(random)] : [];
  switch (budget) {
    case 'none':
      return [];
    case 'survive':
      return [survivableFault(random), ...more];
    case 'detect':
      return [silentFault(random), ...more];
    case 'unbounded':
      return Array.from({ length: random.between(2, UNBOUNDED_FAULTS_MAX) }, () =>
        random.chance(0.6) ? silentFault(random) : survivableFault(random),
      );
  }
}

function survivableFault(random: Prng): PlannedFault {
  return random.chance(0.8) ? generateFault(random) : shortFault(random);
}

/** Reads and writes that do a part only. */
function shortFault(random: Prng): PlannedFault {
  const bytes = random.pick([1, 20, 512, 700]);
  const when = { path: '*', nth: random.between(1, 40), times: random.pick([1, 3, 50]) };
  return { when, effect: { operation: random.pick(['read', 'write']), silent: 'short', bytes } };
}

/** One that an engine can only detect. */
function silentFault(random: Prng): PlannedFault {
  const path = random.pick(['wal-*', 'run-*', 'tree.db', 'free-*', 'MANIFEST*', 'backup/*', '*']);
  const when = { path, nth: random.between(1, random.pick([3, 12])), times: 1 };
  switch (random.below(4)) {
    case 0:
      return { when, effect: { operation: 'write', silent: 'lost' } };
    case 1:
      return { when, effect: { operation: 'write', silent: 'misdirected', sectors: random.pick([-1, 1, 1, 2, -3]) } };
    case 2:
      return { when, effect: { operation: 'read', silent: 'rot', at: random.below(4000), mask: 1 << random.below(8) } };
    default:
      return { when, effect: { operation: 'read', silent: 'stale' } };
  }
}

/**
 * A fault in the log, mostly, where commits are acknowledged; it begins behind the calls that make the store. Elsewhere
 * the first few calls are struck, because there are no more of them.
 */
function generateFault(random: Prng): PlannedFault {
  const inLog = random.chance(0.6);
  const path = inLog ? 'wal-*' : random.pick(['*', 'run-*', 'tree.db', 'free-*', 'MANIFEST*']);
  // The second sync of the log is the first commit's, or that of a close or freeze that finds one pending.
  const nth = inLog ? random.pick([2, 2, random.between(2, 10)]) : random.between(1, path === '*' ? 20 : 4);
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
      return {
        when: random.chance(0.5) ? inStructure(random) : anywhere(random),
        effect: { operation: 'read', error: 'EIO' },
      };
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

/** In the runs or the tree, where merges read, among the first few calls: there are no more of them. */
function inStructure(random: Prng): PlannedFault['when'] {
  return { path: random.pick(['run-*', 'run-*', 'tree.db']), nth: random.between(1, 12), times: 1 };
}

/** On any file, early or late in a program; sometimes for several calls. */
function anywhere(random: Prng): PlannedFault['when'] {
  return { path: '*', nth: random.between(1, random.pick([4, 30])), times: random.pick([1, 1, 3]) };
}
