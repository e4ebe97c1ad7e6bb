/**
 * Drivers that lie, each in one way that a careless adapter really has: live negative controls for every stage that
 * judges engines through the contract. The engine underneath is right; the answers are not.
 */
import type { EngineDriver, EngineSession } from '../contract/driver.ts';
import type { BytesText } from '../contract/bytes-text.ts';
import type { Operation, ScanRange } from '../contract/operations.ts';
import { ABSENT, errorOutcome, OK, type Outcome } from '../contract/outcomes.ts';
import { decodeBytes } from '../contract/bytes-text.ts';

/** How one session of a lying driver executes. `ask` reaches the engine. */
type Lie = (operation: Operation, ask: (operation: Operation) => Promise<Outcome>) => Promise<Outcome>;

/** A way to lie. `makeLie` is called once for each session. */
export interface BuggyDriver {
  readonly name: string;
  /** What a program must contain for the lie to be told at all. */
  readonly needs: 'nothing' | 'transactions' | 'errors';
  readonly makeLie: () => Lie;
}

/** The driver with the lie in front of its engine. */
export function withLie(driver: EngineDriver, buggy: BuggyDriver): EngineDriver {
  return {
    name: `${driver.name} behind ${buggy.name}`,
    version: driver.version,
    capabilities: driver.capabilities,
    async open(directory, options): Promise<EngineSession> {
      const session = await driver.open(directory, options);
      const lie = buggy.makeLie();
      const pending: Promise<unknown>[] = [];
      return {
        execute(operation): Promise<Outcome> {
          return lie(operation, (asked) => {
            const answer = session.execute(asked);
            pending.push(answer);
            return answer;
          });
        },
        async close(): Promise<void> {
          await Promise.allSettled(pending);
          await session.close();
        },
      };
    },
  };
}

/** An engine that definitely refuses every tenth write, for controls that are about errors. */
export function withRefusals(driver: EngineDriver): EngineDriver {
  return {
    ...driver,
    name: `${driver.name} with refusals`,
    version: driver.version,
    async open(directory, options): Promise<EngineSession> {
      const session = await driver.open(directory, options);
      let writes = 0;
      return {
        execute(operation): Promise<Outcome> {
          const isWrite = operation.kind === 'put' || operation.kind === 'delete' || operation.kind === 'batch';
          if (isWrite && ++writes % 10 === 0) return Promise.resolve(errorOutcome('LIGHTNING_DISK_FULL', 'refused'));
          return session.execute(operation);
        },
        close: () => session.close(),
      };
    },
  };
}

const keyName = (key: BytesText): string => JSON.stringify(key);

function answersFromPrivateMap(): Lie {
  const written = new Map<string, Outcome>();
  return async (operation, ask) => {
    if (operation.kind === 'get') return written.get(keyName(operation.key)) ?? ask(operation);
    const outcome = await ask(operation);
    if (operation.kind === 'put') {
      written.set(keyName(operation.key), { kind: 'value', value: decodeBytes(operation.value) });
    }
    if (operation.kind === 'delete') written.set(keyName(operation.key), ABSENT);
    return outcome;
  };
}

function throughText(key: BytesText): BytesText {
  return Buffer.from(Buffer.from(decodeBytes(key)).toString('utf8'), 'utf8').toString('hex');
}

function keysThroughText(): Lie {
  return (operation, ask) => {
    if (operation.kind === 'batch') {
      const operations = operation.operations.map((step) =>
        'key' in step ? { ...step, key: throughText(step.key) } : step,
      );
      return ask({ ...operation, operations });
    }
    return ask('key' in operation ? { ...operation, key: throughText(operation.key) } : operation);
  };
}

function repliesReordered(): Lie {
  let held: Outcome | undefined;
  return async (operation, ask) => {
    const outcome = await ask(operation);
    if (operation.kind !== 'get') return outcome;
    const answer = held ?? outcome;
    held = outcome;
    return answer;
  };
}

function acknowledgesFirst(): Lie {
  let behind: Promise<unknown> = Promise.resolve();
  return (operation, ask) => {
    if (operation.kind === 'put' || operation.kind === 'delete' || operation.kind === 'batch') {
      behind = behind.then(() => new Promise((resolve) => setTimeout(resolve, 1))).then(() => ask(operation));
      return Promise.resolve(OK);
    }
    return ask(operation);
  };
}

/** Changes the range of every scan, and what it returns. */
function scans(change: (range: ScanRange) => ScanRange, after: (outcome: Outcome) => Outcome = (o) => o): () => Lie {
  return () => async (operation, ask) => {
    if (operation.kind !== 'scan') return ask(operation);
    return after(await ask({ ...operation, range: change(operation.range) }));
  };
}

const TRUNCATED_ROWS = 10;
const truncated = (outcome: Outcome): Outcome =>
  outcome.kind === 'rows' ? { kind: 'rows', rows: outcome.rows.slice(0, TRUNCATED_ROWS) } : outcome;

/** The end of a prefix made by appending FF, as a well-known iterator example does. */
function prefixEndByAppending(range: ScanRange): ScanRange {
  const { prefix, ...rest } = range;
  if (typeof prefix !== 'string' || rest.gte !== undefined || rest.lt !== undefined) return range;
  return { ...rest, gte: prefix, lt: `${prefix}ff` };
}

/** Every way to lie. */
export const BUGGY_DRIVERS: readonly BuggyDriver[] = [
  { name: 'answers-from-a-private-map', needs: 'nothing', makeLie: answersFromPrivateMap },
  {
    name: 'drops-errors',
    needs: 'errors',
    makeLie: () => async (operation, ask) => {
      const outcome = await ask(operation);
      return outcome.kind === 'error' ? OK : outcome;
    },
  },
  { name: 'scan-truncated', needs: 'nothing', makeLie: scans((range) => range, truncated) },
  { name: 'keys-through-utf8', needs: 'nothing', makeLie: keysThroughText },
  { name: 'acknowledges-before-the-engine', needs: 'nothing', makeLie: acknowledgesFirst },
  { name: 'replies-reordered', needs: 'nothing', makeLie: repliesReordered },
  {
    name: 'success-on-conflict',
    needs: 'transactions',
    makeLie: () => async (operation, ask) => {
      const outcome = await ask(operation);
      return outcome.kind === 'conflict' ? OK : outcome;
    },
  },
  { name: 'prefix-end-appends-ff', needs: 'nothing', makeLie: scans(prefixEndByAppending) },
  {
    name: 'reverse-swaps-inclusivity',
    needs: 'nothing',
    makeLie: scans((range) => {
      if (range.reverse !== true || range.lt === undefined) return range;
      const { lt, ...rest } = range;
      return { ...rest, lte: lt };
    }),
  },
  {
    name: 'empty-value-is-absent',
    needs: 'nothing',
    makeLie: () => async (operation, ask) => {
      const outcome = await ask(operation);
      return outcome.kind === 'value' && outcome.value.length === 0 ? ABSENT : outcome;
    },
  },
  {
    name: 'batch-without-its-last-step',
    needs: 'nothing',
    makeLie: () => (operation, ask) => {
      if (operation.kind !== 'batch' || operation.operations.length < 2) return ask(operation);
      return ask({ ...operation, operations: operation.operations.slice(0, -1) });
    },
  },
];
