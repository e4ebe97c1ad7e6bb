/**
 * Backups (S35, S36 of spec/semantics.md): a backup is the number of commits there were when it began. What a restore gives
 * is worked out from the list of commits; nothing else is kept.
 */
import type { OrderedMap, State } from './ordered-map.ts';

interface Pinned {
  /** The history in which it was made; another one begins with each recovery. */
  readonly map: OrderedMap;
  readonly sequence: number;
}

/** The backups of one store, numbered from 1 in the order in which they began. */
export class Backups {
  private readonly pinned: Pinned[] = [];

  /** A backup begins: the commits up to now are in it, and none behind them. Returns its number. */
  begin(map: OrderedMap): number {
    return this.pinned.push({ map, sequence: map.sequence });
  }

  /** The last commit in a backup; `undefined` when there is no such backup. */
  sequenceOf(backup: number): number | undefined {
    return this.pinned.at(backup - 1)?.sequence;
  }

  /**
   * What a restore gives: the state after the backup's last commit, or after exactly the first `toCommit` commits.
   * @param map the history now: points in time lie in the history in which the backup was made
   * @returns `undefined` where a restore must be refused, with nothing touched: no such backup, a commit before the backup's
   *   last, or one that was never made
   */
  restored(map: OrderedMap, backup: number, toCommit?: number): State | undefined {
    const pinned = backup < 1 ? undefined : this.pinned.at(backup - 1);
    if (pinned === undefined) return undefined;
    const point = toCommit ?? pinned.sequence;
    const isThere =
      point === pinned.sequence || (point > pinned.sequence && pinned.map === map && point <= map.sequence);
    return isThere ? pinned.map.stateAt(point) : undefined;
  }
}
