/**
 * A store of two sites (parallel snapshot isolation; Sovran et al., "Transactional Storage for Geo-Replicated Systems",
 * SOSP 2011): what commits at one is seen there at once and at the other later, so that two readers may see two commits
 * in either order. Two never overwrite each other unseen.
 */
import type { Operation } from '../../../src/contract/operations.ts';
import { ABSENT, CONFLICT, OK, type Outcome } from '../../../src/contract/outcomes.ts';
import { type BytesText, decodeBytes } from '../../../src/contract/bytes-text.ts';
import { SpecificationSession } from '../session.ts';

interface Commit {
  readonly site: number;
  readonly writes: ReadonlyMap<string, BytesText>;
}

interface Running {
  readonly site: number;
  /** Places of the commits that it sees, rising. */
  readonly seen: readonly number[];
  readonly writes: Map<string, BytesText>;
}

/** How many commits of the other site a site lags behind. */
const LAG = 3;

/** Values must be written in the short form of bytes that is their hexadecimal text. */
export class LongForkSession extends SpecificationSession {
  private readonly commits: Commit[] = [];
  private readonly running = new Map<number, Running>();

  protected override takeEffect(operation: Operation): Outcome {
    if (operation.kind === 'begin') {
      this.running.set(operation.transaction, this.begin(operation.transaction % 2));
      return OK;
    }
    const transaction = 'transaction' in operation ? this.running.get(operation.transaction) : undefined;
    if (transaction === undefined) return this.atOnce(operation);
    // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- the rest is the right store's
    switch (operation.kind) {
      case 'txPut':
        transaction.writes.set(String(operation.key), operation.value);
        return OK;
      case 'txGet': {
        const value = this.read(transaction, String(operation.key));
        return value === undefined ? ABSENT : { kind: 'value', value: decodeBytes(value) };
      }
      case 'commit':
        this.running.delete(operation.transaction);
        return this.commit(transaction);
      case 'abort':
        this.running.delete(operation.transaction);
        return OK;
      default:
        return this.atOnce(operation);
    }
  }

  private begin(site: number): Running {
    const places = this.commits.map((commit, place) => ({ commit, place }));
    const foreign = places.filter(({ commit }) => commit.site !== site).slice(0, -LAG);
    const known = new Set(
      [...places.filter(({ commit }) => commit.site === site), ...foreign].map(({ place }) => place),
    );
    return { site, seen: [...known].sort((a, b) => a - b), writes: new Map() };
  }

  private read({ seen, writes }: Running, key: string): BytesText | undefined {
    if (writes.has(key)) return writes.get(key);
    for (const place of seen.toReversed())
      if (this.commits[place].writes.has(key)) return this.commits[place].writes.get(key);
    return undefined;
  }

  /** Whoever writes a key has seen its newest version. */
  private commit({ site, seen, writes }: Running): Outcome {
    const known = new Set(seen);
    const lost = this.commits.some(
      (commit, place) => !known.has(place) && [...writes.keys()].some((key) => commit.writes.has(key)),
    );
    if (lost) return CONFLICT;
    if (writes.size > 0) this.commits.push({ site, writes });
    return OK;
  }
}
