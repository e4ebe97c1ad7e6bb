/**
 * What the module hook (planted-bugs/loader.ts) did to the sources of this process and of those it started. A stage
 * never learns which edit: evidence carries a hash of the edited text only, so that the gate can refuse a control in
 * which the hook did not take hold.
 */
import { z } from 'zod';
import { sha256 } from './canonical.ts';
import { readTextIfThere } from './files.ts';

/** Where the hook leaves its own account in the process. */
export const EDITS_SYMBOL: unique symbol = Symbol.for('lightning-db.planted-edits');

/** Names the file in which every process of one stage run notes each edited source. */
export const TALLY_VARIABLE = 'LIGHTNING_EDIT_TALLY';

const lineSchema = z.object({ process: z.string(), file: z.string(), edits: z.number().int(), text: z.string() });

/** How many edits took hold, in how many processes and threads, and hashes of the edited texts. */
export interface EditAccount {
  readonly applied: number;
  readonly processes: number;
  /** Over all edited texts; empty when there is none. */
  readonly hash: string;
  readonly files: { file: string; text: string }[];
}

/** The account of this process and, when the gate asked for a tally, of all its children and workers. */
export function readEditAccount(): EditAccount {
  const tally = process.env[TALLY_VARIABLE];
  const lines = tally === undefined ? ownLines() : (readTextIfThere(tally) ?? '').split('\n');
  let applied = 0;
  const processes = new Set<string>();
  const texts = new Map<string, { file: string; text: string }>();
  for (const line of lines) {
    if (line === '') continue;
    const entry = lineSchema.parse(JSON.parse(line));
    applied += entry.edits;
    processes.add(entry.process);
    texts.set(`${entry.file} ${entry.text}`, { file: entry.file, text: entry.text });
  }
  const keys = [...texts.keys()].sort();
  const files = keys.flatMap((key) => texts.get(key) ?? []);
  return { applied, processes: processes.size, hash: applied === 0 ? '' : sha256(keys.join('\n')), files };
}

function ownLines(): readonly string[] {
  const lines: unknown = Reflect.get(globalThis, EDITS_SYMBOL);
  return Array.isArray(lines) ? lines.map(String) : [];
}
