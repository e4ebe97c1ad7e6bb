/** One process at a time: a second is refused and changes nothing, and the lock dies with its holder. */
import { isLightningError } from '../src/base/errors.ts';
import { Database } from '../src/database/index.ts';
import { makeDirectory } from '../src/report/files.ts';
import { Child } from './child.ts';
import type { LockMessage, LockRequest } from './lock-child.ts';
import { descriptorCount } from './real-files.ts';

const SECONDS_MAX = 20;

/** What was wrong. */
export interface LockObjection {
  readonly class: string;
  readonly message: string;
}

/** A child that holds a store, and a way to wait for what it says next. */
class Holder {
  readonly child: Child<LockMessage>;
  private heard: LockMessage[] = [];
  private listener: ((message: LockMessage | undefined) => void) | undefined;

  constructor(request: LockRequest) {
    this.child = new Child<LockMessage>({
      program: 'lock-child',
      request,
      onMessage: (message) => {
        const { listener } = this;
        this.listener = undefined;
        if (listener === undefined) this.heard.push(message);
        else listener(message);
      },
    });
  }

  /** The next message; `undefined` when the child ends or says nothing for too long. */
  async next(): Promise<LockMessage | undefined> {
    const waiting = this.heard.shift();
    if (waiting !== undefined) return waiting;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), SECONDS_MAX * 1000);
      this.listener = (message) => {
        clearTimeout(timer);
        resolve(message);
      };
      this.child.ended.then(
        () => this.listener?.(undefined),
        () => this.listener?.(undefined),
      );
    });
  }
}

function openingEnds(directory: string): string {
  try {
    const database = Database.openSync(directory);
    const rows = [...database.scanSync()].length;
    database.closeSync();
    return `success, ${rows} rows`;
  } catch (error) {
    return isLightningError(error) ? error.code : `an uncoded error: ${String(error)}`;
  }
}

/** Runs the check in a fresh folder. */
export async function checkLock(directory: string): Promise<LockObjection | undefined> {
  makeDirectory(directory);
  const holder = new Holder({ directory });
  try {
    if ((await holder.next())?.kind !== 'holding') {
      const { log } = await holder.child.ended;
      return { class: 'unexpected-error', message: `the holder could not open the store: ${log}` };
    }
    for (let turn = 1; turn <= 3; turn++) {
      // Counted without a pause between: this process starts other children meanwhile.
      const descriptors = descriptorCount();
      const second = openingEnds(directory);
      const left = descriptorCount() - descriptors;
      if (second !== 'LIGHTNING_LOCKED') {
        return { class: 'unexpected-error', message: `a second process that opens the store gets ${second}` };
      }
      // The first opening of a process loads what the later ones share.
      if (turn > 1 && left !== 0) return { class: 'leak', message: `a refused opening left ${left} descriptors` };
      holder.child.send({});
      const answer = await holder.next();
      if (answer?.kind !== 'wrote' || answer.count !== turn) {
        return {
          class: 'unexpected-error',
          message: 'the holder can no longer write after a second process was refused',
        };
      }
    }
  } finally {
    holder.child.kill();
  }
  await holder.child.ended;
  const after = openingEnds(directory);
  if (after !== 'success, 3 rows') {
    const kind = after.startsWith('success') ? 'lost-acknowledged-write' : 'unexpected-error';
    return { class: kind, message: `after SIGKILL of the holder, opening ends with ${after} instead of 3 rows` };
  }
  return undefined;
}
