/** Engines behind the protocol: our own server passes, and adapters that lie are caught. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { Interpreter } from '../../spec/executable/interpreter.ts';
import { ManualClock } from '../base/clock.ts';
import { Prng } from '../base/prng.ts';
import { runConformance } from '../contract/conformance.ts';
import { CLOCK_START_MILLISECONDS } from '../contract/limits.ts';
import type { Operation } from '../contract/operations.ts';
import { Database } from '../database/index.ts';
import { frameOf, LineSplitter } from '../database/protocol/frames.ts';
import { serveStreams } from '../database/protocol/serve.ts';
import { generateProgram } from '../workload/programs.ts';
import { runProgram } from '../workload/run-program.ts';
import { adapterCommand, type StartAdapter } from './adapter-process.ts';
import { pipelineProblem, protocolDriver } from './protocol.ts';

const root = mkdtempSync(join(tmpdir(), 'lightning-adapters-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const freshDirectory = (): string => mkdtempSync(join(root, 'store-'));

type Frame = Record<string, unknown>;
/** Changes frames on their way; what it gives is sent on, in that order. */
interface Lie {
  readonly ask?: (frame: Frame, answer: (frame: Frame) => void) => Frame[];
  readonly answer?: (frame: Frame) => Frame[];
}

function through(from: PassThrough, to: PassThrough, change: (frame: Frame) => Frame[]): void {
  const splitter = new LineSplitter();
  from.on('data', (chunk: Buffer) => {
    for (const line of splitter.push(chunk))
      for (const one of change(JSON.parse(line) as Frame)) to.write(frameOf(one));
  });
  from.on('end', () => to.end());
}

/** Our own server, with a liar in between. */
function lyingAdapter(makeLie: () => Lie): StartAdapter {
  return (directory) => {
    const { ask, answer } = makeLie();
    const [asked, passed, answered, told] = [
      new PassThrough(),
      new PassThrough(),
      new PassThrough(),
      new PassThrough(),
    ];
    const clock = new ManualClock(CLOCK_START_MILLISECONDS);
    const database = Database.openSync(directory, { durability: 'none', clock });
    through(asked, passed, (frame) => ask?.(frame, (early) => told.write(frameOf(early))) ?? [frame]);
    through(answered, told, (frame) => answer?.(frame) ?? [frame]);
    const served = { database, acknowledges: 'volatile', version: '0', elapsed: () => 0, clock } as const;
    const ended = serveStreams(served, passed, answered).then(async () => {
      answered.end();
      await database.close();
    });
    const end = async (): Promise<void> => {
      asked.end();
      await ended;
    };
    return { input: told, output: asked, end, kill: () => asked.end() };
  };
}

/** What is found: by requests under way at once, by the conformance cases, then by programs. */
async function firstFinding(start: StartAdapter): Promise<string | undefined> {
  const problem = await pipelineProblem(start, freshDirectory());
  if (problem !== undefined) return 'pipeline';
  const driver = await protocolDriver('adapter', start, freshDirectory());
  const results = await runConformance(driver, freshDirectory);
  if (results.some(({ verdict }) => verdict === 'fail')) return 'conformance';
  for (let seed = 0; seed < 6; seed++) {
    const program = generateProgram(new Prng(seed), { capabilities: driver.capabilities, operations: 80 });
    const interpreter = new Interpreter(driver.capabilities);
    const run = await runProgram(driver, freshDirectory(), program, (operation, outcome) =>
      interpreter.judge(operation, outcome),
    );
    if (run.objection !== undefined) return `program: ${run.objection.message}`;
  }
  return undefined;
}

test('our own server passes', async () => {
  expect(await firstFinding(lyingAdapter(() => ({})))).toBeUndefined();
});

const LIES: Readonly<Record<string, () => Lie>> = {
  'acknowledges before the engine returns': () => {
    let held: Frame[] = [];
    return {
      ask: (frame, answer) => {
        const before = held;
        held = [];
        if (frame['op'] !== 'put') return [frame, ...before];
        answer({ id: frame['id'], durability: 'volatile' });
        held = [{ ...frame, id: `late ${String(frame['id'])}` }];
        return before;
      },
      answer: (frame) => (typeof frame['id'] === 'string' ? [] : [frame]),
    };
  },
  'drops errors': () => ({
    answer: (frame) => ['error' in frame ? { id: frame['id'], durability: 'volatile', value: null, rows: [] } : frame],
  }),
  'truncates scans': () => ({
    answer: ({ rows, ...frame }) => [Array.isArray(rows) ? { ...frame, rows: rows.slice(0, 2) } : frame],
  }),
  'forgets deadlines': () => ({ ask: ({ deadline: _, ...frame }) => [frame] }),
  'passes keys through UTF-8': () => ({
    ask: ({ key, ...frame }) => {
      if (typeof key !== 'string') return [frame];
      return [{ ...frame, key: Buffer.from(Buffer.from(key, 'base64').toString('utf8')).toString('base64') }];
    },
  }),
  'swaps answers': () => {
    let held: Frame | undefined;
    return {
      answer: (frame) => {
        if (!('value' in frame)) return [frame];
        const first = held;
        held = first === undefined ? frame : undefined;
        return first === undefined
          ? []
          : [
              { ...first, id: frame['id'] },
              { ...frame, id: first['id'] },
            ];
      },
    };
  },
};

test.each(Object.entries(LIES))('an adapter that %s is caught', async (_, makeLie) => {
  expect(await firstFinding(lyingAdapter(makeLie))).toBeDefined();
});

/** In the folder of adapters, so that others can see it caught: `lightning-db test "node adapters/small.js --fault misorders"`. */
function smallAdapter(flags: string): StartAdapter {
  const script = fileURLToPath(new URL('../../adapters/small.js', import.meta.url));
  return adapterCommand(`'${process.execPath}' '${script}' ${flags}`);
}

test('answers may come in any order, and not under the id of another request', async () => {
  expect(await pipelineProblem(smallAdapter(''), freshDirectory())).toBeUndefined();
  expect(await pipelineProblem(smallAdapter('--fault misorders'), freshDirectory())).toContain("got another's answer");
});

test('what an adapter says is synced is there after SIGKILL, or it is caught', async () => {
  const driver = await protocolDriver('adapter', smallAdapter('--fault saves-at-end'), freshDirectory());
  expect(driver.capabilities.crash).toBe(true);
  const session = await driver.open(freshDirectory(), {});
  const interpreter = new Interpreter(driver.capabilities);
  const step = async (operation: Operation): Promise<string | undefined> =>
    interpreter.judge(operation, await session.execute(operation))?.class;
  for (const kind of ['reopen', 'crash'] as const) {
    await step({ kind: 'put', key: '61', value: kind === 'crash' ? '02' : '01' });
    expect(await step({ kind })).toBeUndefined();
    expect(await step({ kind: 'get', key: '61' })).toBe(kind === 'crash' ? 'wrong-read' : undefined);
  }
  await session.close();
});

test('an adapter that ends, or is none, is told', async () => {
  await expect(protocolDriver('false', adapterCommand('exit 3'), freshDirectory())).rejects.toMatchObject({
    code: 'LIGHTNING_INDEFINITE',
  });
});
