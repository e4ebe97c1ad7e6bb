/**
 * Judges what is found after a kill against what was acknowledged before it. It knows the plan and the acknowledgements,
 * and nothing of the engine.
 *
 *   1. Every acknowledged batch is there, with the values of the attempt that was acknowledged.
 *   2. Every batch is there whole, from one attempt, or not at all; its client's head names the last one.
 *   3. The batches of a client form a prefix: each was sent after the one before had been acknowledged to the client.
 *   4. What an earlier recovery showed is still there.
 *   5. Nothing else is there.
 */
import { readUint16 } from '../src/base/bytes.ts';
import { type Batch, batchesOf, headText, headValue, keyText, type Load, valueOf } from './load-plan.ts';

/** Why a recovered state is not allowed; `class` is a failure class of the stages. */
export interface Objection {
  readonly class: 'lost-acknowledged-write' | 'torn-batch' | 'not-a-prefix' | 'wrong-read';
  readonly message: string;
}

/** Keys as latin1 text. */
export type Contents = ReadonlyMap<string, Uint8Array>;

interface BatchRecord {
  readonly batch: Batch;
  /** The attempt that was acknowledged or seen by a recovery; 0: neither. */
  floorAttempt: number;
  acknowledged: boolean;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** The memory of one load over all its rounds. */
export class LoadJudge {
  private readonly load: Load;
  private readonly clients: readonly (readonly BatchRecord[])[];
  private entriesFound = 0;

  constructor(load: Load) {
    this.load = load;
    this.clients = Array.from({ length: load.clientCount }, (_, client) =>
      batchesOf(load, client).map((batch) => ({ batch, floorAttempt: 0, acknowledged: false })),
    );
  }

  /** An acknowledgement that reached the parent before the kill. */
  acknowledge(client: number, number: number, attempt: number): void {
    const record = this.clients[client][number];
    record.floorAttempt = attempt;
    record.acknowledged = true;
  }

  /** For each client the first batch that was not acknowledged: where the next round goes on. */
  next(): number[] {
    return this.clients.map((records) => {
      const open = records.findIndex((record) => !record.acknowledged);
      return open < 0 ? records.length : open;
    });
  }

  get batchCount(): number {
    return this.clients.reduce((sum, records) => sum + records.length, 0);
  }

  get acknowledgedCount(): number {
    return this.clients.reduce((sum, records) => sum + records.filter((one) => one.acknowledged).length, 0);
  }

  get acknowledgedEntries(): number {
    let sum = 0;
    for (const records of this.clients) {
      for (const { acknowledged, batch } of records) if (acknowledged) sum += batch.end - batch.first;
    }
    return sum;
  }

  /** Entries found by the last {@link judge}, heads not counted. */
  get found(): number {
    return this.entriesFound;
  }

  /** Judges one recovered state, and remembers it. */
  judge(contents: Contents): Objection | undefined {
    this.entriesFound = 0;
    let heads = 0;
    for (let client = 0; client < this.clients.length; client++) {
      const last = this.judgeClient(contents, client);
      if (typeof last === 'object') return last;
      const objection = this.judgeHead(contents, client, last);
      if (objection !== undefined) return objection;
      if (last >= 0) heads++;
    }
    if (contents.size === this.entriesFound + heads) return undefined;
    return {
      class: 'wrong-read',
      message: `${contents.size - heads} keys, of which ${this.entriesFound} were written`,
    };
  }

  /** The number of the last batch that is there, −1 without any; or an objection. */
  private judgeClient(contents: Contents, client: number): number | Objection {
    let last = -1;
    for (const [number, record] of this.clients[client].entries()) {
      const attempt = this.attemptOf(contents, client, number, record.batch);
      if (typeof attempt === 'object') return attempt;
      const name = `batch ${number} of client ${client}`;
      if (attempt < record.floorAttempt) {
        const how = record.acknowledged ? 'was acknowledged' : 'was there after an earlier recovery';
        const now = attempt === 0 ? 'and is gone' : `in attempt ${record.floorAttempt} and shows attempt ${attempt}`;
        return { class: 'lost-acknowledged-write', message: `${name} ${how} ${now}` };
      }
      if (attempt > 0 && last !== number - 1) {
        return { class: 'not-a-prefix', message: `${name} is there without the one before it` };
      }
      if (attempt === 0) continue;
      last = number;
      record.floorAttempt = attempt;
      this.entriesFound += record.batch.end - record.batch.first;
    }
    return last;
  }

  /** The attempt that wrote a batch, 0 when it is absent. */
  private attemptOf(contents: Contents, client: number, number: number, batch: Batch): number | Objection {
    let attempt: number | undefined;
    for (let entry = batch.first; entry < batch.end; entry++) {
      const value = contents.get(keyText(client, entry));
      const own = value === undefined ? 0 : value.length < 2 ? -1 : readUint16(value, 0);
      if (value !== undefined && (own <= 0 || !sameBytes(value, valueOf(this.load.seed, client, entry, own)))) {
        return { class: 'wrong-read', message: `entry ${entry} of client ${client} has a value that nobody wrote` };
      }
      attempt ??= own;
      if (own !== attempt) {
        const message = `batch ${number} of client ${client} is not whole: entry ${batch.first} is from attempt ${attempt}, entry ${entry} from ${own} (0: absent)`;
        return { class: 'torn-batch', message };
      }
    }
    return attempt ?? 0;
  }

  private judgeHead(contents: Contents, client: number, last: number): Objection | undefined {
    const head = contents.get(headText(client));
    const attempt = last < 0 ? 0 : this.clients[client][last].floorAttempt;
    const wanted = last < 0 ? undefined : headValue(last, attempt);
    const right = wanted === undefined ? head === undefined : head !== undefined && sameBytes(head, wanted);
    if (right) return undefined;
    const shown = head === undefined ? 'nothing' : Buffer.from(head).toString('latin1');
    return {
      class: 'torn-batch',
      message: `the head of client ${client} names ${shown}, the last batch there is ${last} of attempt ${attempt}`,
    };
  }
}
