/** spec/errors.md against the code: the codes, the translation of errno, and every row of the table of failures. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Prng } from '../src/base/prng.ts';
import type { LightningError } from '../src/base/errors.ts';
import { ERROR_CODES, errnoOf, type ErrorCode, isLightningError } from '../src/base/errors.ts';
import { fromText } from '../src/base/bytes.ts';
import { Database } from '../src/database/index.ts';
import { verifyOpenStore } from '../src/database/verify/verify-store.ts';
import type { Engine } from '../src/engine/index.ts';
import { ioError } from '../src/vfs/io-errors.ts';
import { RandomChooser } from '../src/faults/chooser.ts';
import { type ErrorEffect, FaultPlan, isInjectedFault, matchesPath, type Operation } from '../src/faults/fault-plan.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { listFilesBelow } from '../src/report/files.ts';
import { openOn, PHASES, stepsOf, strikeEach, type Struck } from './failure-phases.fixture.ts';
import { readPage, ROOT, tableRows } from './pages.fixture.ts';

const page = readPage('spec/errors.md');
const words = (cell: string): string[] => cell.split(/, | or /).map((word) => word.replaceAll('`', ''));

test('the page lists every code with its class, in the order of the table', () => {
  const listed = tableRows(page, ['code', 'class', 'meaning']).map(([code, errorClass]) => [
    words(code)[0],
    errorClass,
  ]);
  expect(listed).toEqual(Object.entries(ERROR_CODES));
});

test('a code is called reserved exactly when nothing throws it', () => {
  const reserved = tableRows(page, ['code', 'class', 'meaning']).filter(([, , meaning]) => /^reserved\b/.test(meaning));
  const texts = ['src', 'planted-bugs']
    .flatMap((folder) => listFilesBelow(`${ROOT}${folder}`).map((name) => `${folder}/${name}`))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && path !== 'src/base/errors.ts')
    .map((path) => readFileSync(`${ROOT}${path}`, 'utf8'));
  const unused = Object.keys(ERROR_CODES).filter((code) => !texts.some((text) => text.includes(`'${code}'`)));
  expect(reserved.map(([code]) => words(code)[0])).toEqual(unused);
});

const ERRNO_CODES = new Map(
  tableRows(page, ['errno', 'code']).flatMap(([errnos, code]) => words(errnos).map((errno) => [errno, words(code)[0]])),
);

test('errno becomes the code that the page says', () => {
  expect(ERRNO_CODES.size).toBe(8);
  for (const [errno, code] of ERRNO_CODES) {
    const name = errno === 'any other' ? 'EIO' : errno;
    expect(ioError(Object.assign(new Error(name), { code: name }), 'read', 'x')).toMatchObject({ code });
  }
});

interface Row {
  readonly phases: readonly string[];
  readonly operations: readonly string[];
  readonly paths: readonly string[];
  readonly errnos: string;
  readonly codes: readonly string[];
  readonly commit: string;
  readonly store: string;
}

const ROWS: readonly Row[] = tableRows(page, ['while', 'call', 'of', 'errno', 'code', 'the commit', 'the store']).map(
  ([phases, operations, paths, errnos, codes, commit, store]) => ({
    phases: words(phases),
    operations: words(operations),
    paths: words(paths),
    errnos,
    codes: words(codes),
    commit,
    store,
  }),
);

const OPENING = ['EACCES', 'EROFS', 'EMFILE', 'ENFILE', 'ENOSPC', 'EIO'] as const;
const CHANGING = ['EIO', 'ENOSPC', 'EDQUOT', 'EACCES', 'EROFS'] as const;

/** Every fault that a call can suffer. */
function effectsOf(operation: string): ErrorEffect[] {
  switch (operation) {
    case 'open':
    case 'create':
      return OPENING.map((error) => ({ operation, error }));
    case 'read':
    case 'list':
      return [{ operation, error: 'EIO' }];
    case 'write':
      return (['ENOSPC', 'EDQUOT', 'EIO'] as const).flatMap((error) =>
        [3, 1000].map((writtenBytes) => ({ operation, error, writtenBytes })),
      );
    case 'sync':
      return (['EIO', 'ENOSPC', 'EDQUOT'] as const).flatMap((error) =>
        (['none', 'every other sector', 'all'] as const).map((survivors) => ({ operation, error, survivors })),
      );
    case 'syncDirectory':
      return (['EIO', 'ENOSPC'] as const).map((error) => ({ operation, error }));
    case 'truncate':
    case 'rename':
    case 'unlink':
      return CHANGING.map((error) => ({ operation, error }));
    default:
      throw new Error(`no fault for ${operation}`);
  }
}

function codesFor(row: Row, errno: string): readonly string[] {
  if (row.codes[0] !== 'by errno') return row.codes;
  return [ERRNO_CODES.get(errno) ?? ERRNO_CODES.get('any other') ?? ''];
}

const codeOf = (error: unknown): string =>
  error === undefined ? '–' : isLightningError(error) ? error.code : `uncoded: ${String(error)}`;

function textOf(engine: Engine, key: string): string | undefined {
  const value = engine.get(fromText(key));
  return value === undefined ? undefined : Buffer.from(value).toString();
}

/** Everything acknowledged is there, and of the commit what its fate allows. */
function expectContent(engine: Engine, struck: Struck, written: string | undefined, fate: string): void {
  for (const [key, value] of struck.ready.kept) expect([key, textOf(engine, key)]).toEqual([key, value]);
  if (written === undefined) return;
  const found = textOf(engine, written);
  if (fate === 'definite') expect(found).toBeUndefined();
  else if (fate === 'kept') expect(found).toBe('new value');
  else expect([undefined, 'new value']).toContain(found);
}

function expectReopens(image: DiskImage, struck: Struck, written: string | undefined, fate: string): void {
  const disk = new SimulatedDisk({ image });
  const engine = openOn(disk);
  expect(verifyOpenStore(engine, disk)).toEqual([]);
  expectContent(engine, struck, written, fate);
  engine.checkInvariants();
  engine.close();
  expect(disk.openFileCount).toBe(0);
}

function expectPoisoned(engine: Engine, disk: SimulatedDisk): void {
  const calls = [
    () => engine.get(fromText('log')),
    () => engine.scan(),
    () => engine.commit([{ type: 'delete', key: fromText('log') }]),
    () => engine.sync(),
    () => engine.flush(),
    () => engine.openSnapshot(),
    () => verifyOpenStore(engine, disk),
  ];
  for (const call of calls) {
    let thrown: unknown;
    try {
      call();
    } catch (error) {
      thrown = error;
    }
    expect(codeOf(thrown)).toBe('LIGHTNING_POISONED');
    expect(isInjectedFault(thrown)).toBe(true);
  }
}

/** Nothing that was there has changed, but a manifest that says the same may stand in its place. */
function expectUntouched({ before, disk }: Struck): void {
  const after = disk.currentImage();
  for (const path of before.paths()) {
    if (path !== 'MANIFEST') expect([path, after.get(path)]).toEqual([path, before.get(path)]);
  }
}

/** Holds one struck run against its row. */
function judge(row: Row, struck: Struck, written: string | undefined): void {
  const { disk, engine, error } = struck;
  const landed = disk.faults.landed.at(-1);
  expect(codesFor(row, landed?.error ?? '')).toContain(codeOf(error));
  if (error !== undefined) {
    expect(isInjectedFault(error)).toBe(true);
    expect(errnoOf(error) ?? errnoOf((error as LightningError).cause)).toBe(landed?.error);
  }
  const fate =
    row.commit === 'by code'
      ? isLightningError(error, 'LIGHTNING_INDEFINITE')
        ? 'indefinite'
        : 'definite'
      : row.commit;
  // The power goes right after the failure.
  const chooser = new RandomChooser(new Prng(disk.steps));
  for (let i = 0; i < 2; i++) {
    chooser.begin();
    expectReopens(disk.crashImage(chooser), struck, written, fate);
  }

  const outcome = engine === undefined ? 'refused' : engine.isClosed ? 'released' : row.store;
  expect(outcome).toBe(row.store);
  expect(engine?.poison !== undefined && row.store !== 'released').toBe(row.store === 'poisoned');
  if (engine === undefined) {
    expect(disk.openFileCount).toBe(0);
    expectUntouched(struck);
  } else if (row.store === 'poisoned') {
    expectPoisoned(engine, disk);
  } else if (row.store !== 'released') {
    expectContent(engine, struck, written, fate);
  }
  if (row.store === 'goes on' || row.store === 'tries again') {
    PHASES[phaseOf(struck)].act(struck.ready, disk);
    if (written !== undefined) engine?.sync();
    if (engine !== undefined) expectContent(engine, struck, written, 'kept');
    engine?.checkInvariants();
  }
  engine?.close();
  expect(disk.openFileCount).toBe(0);
  const end = row.store === 'goes on' && written !== undefined ? 'kept' : fate;
  expectReopens(disk.currentImage(), struck, written, end);
}

const phaseNames = new WeakMap<Struck, string>();
const phaseOf = (struck: Struck): string => phaseNames.get(struck) ?? '';

test.each(
  ROWS.flatMap((row) => row.phases.flatMap((phase) => row.operations.map((call) => [phase, call, row] as const))),
)('%s: a failing %s', (phase, call, row) => {
  const effects = effectsOf(call).filter(({ error }) => row.errnos === 'any' || words(row.errnos).includes(error));
  expect(effects.length).toBeGreaterThan(0);
  let runs = 0;
  for (const path of row.paths) {
    for (const effect of effects) {
      for (const struck of strikeEach(PHASES[phase], path, effect)) {
        phaseNames.set(struck, phase);
        judge(row, struck, PHASES[phase].writes);
        runs++;
      }
    }
  }
  // A row that lists several calls may meet one that a phase does not make; stepsOf decides where that can be known.
  const made = stepsOf(PHASES[phase]).some(
    (step) => step.operation === call && row.paths.some((path) => matchesPath(path, step.path)),
  );
  if (made) expect(runs).toBeGreaterThanOrEqual(effects.length);
  RUNS.set(row, (RUNS.get(row) ?? 0) + runs);
});

const RUNS = new Map<Row, number>();

test('every row struck, and every change that a phase makes has a row', () => {
  for (const row of ROWS)
    expect([row.phases, row.operations, RUNS.get(row) ?? 0]).not.toEqual([row.phases, row.operations, 0]);
  expect([...new Set(ROWS.flatMap(({ phases }) => phases))].sort()).toEqual(Object.keys(PHASES).sort());
  for (const [name, phase] of Object.entries(PHASES)) {
    for (const { operation, path } of stepsOf(phase)) {
      for (const { error } of effectsOf(operation as Operation)) {
        const covering = ROWS.filter(
          (row) =>
            row.phases.includes(name) &&
            row.operations.includes(operation) &&
            row.paths.some((pattern) => matchesPath(pattern, path)) &&
            (row.errnos === 'any' || words(row.errnos).includes(error)),
        );
        // What happens before the cut after a full disk is the phase "commit".
        const isFirst = phase.first !== undefined && operation === phase.first.effect.operation;
        expect([name, operation, path, error, covering.length]).toEqual([
          name,
          operation,
          path,
          error,
          isFirst ? 0 : 1,
        ]);
      }
    }
  }
});

test('the table can be wrong', () => {
  const row = ROWS.find(({ phases }) => phases.includes('sync'));
  if (row === undefined) throw new Error('no row for sync');
  const strike = (): Struck => {
    const effect = { operation: 'sync', error: 'EIO', survivors: 'all' } as const;
    const [struck] = strikeEach(PHASES['sync'], 'wal-*', effect);
    phaseNames.set(struck, 'sync');
    return struck;
  };
  judge(row, strike(), 'new');
  const wrong: Partial<Row>[] = [{ codes: ['LIGHTNING_DISK_FULL'] }, { commit: 'definite' }, { store: 'goes on' }];
  for (const cell of wrong) expect(() => judge({ ...row, ...cell }, strike(), 'new')).toThrow();
});

test('a database rejects the commits of a failed fsync as indefinite, and those of a full disk as definite', async () => {
  const fault = (effect: ErrorEffect, nth: number): SimulatedDisk =>
    new SimulatedDisk({ faults: new FaultPlan([{ when: { path: 'wal-*', nth, times: 1 }, effect }]) });
  const codes = async (promises: readonly Promise<void>[]): Promise<string[]> =>
    (await Promise.allSettled(promises)).map((result) => (result.status === 'fulfilled' ? '–' : codeOf(result.reason)));
  const key = (n: number): Uint8Array => Uint8Array.of(n);

  // The first sync and write of a segment belong to the opening.
  let disk = fault({ operation: 'sync', error: 'ENOSPC', survivors: 'none' }, 2);
  let database = Database.openOn(disk);
  const wanted: ErrorCode = 'LIGHTNING_INDEFINITE';
  expect(await codes([1, 2, 3].map((n) => database.put(key(n), key(n))))).toEqual([wanted, wanted, wanted]);
  expect(await codes([database.put(key(4), key(4))])).toEqual(['LIGHTNING_POISONED']);
  await database.close();
  expect(disk.openFileCount).toBe(0);

  disk = fault({ operation: 'write', error: 'ENOSPC', writtenBytes: 5 }, 2);
  database = Database.openOn(disk);
  expect(await codes([database.put(key(1), key(1))])).toEqual(['LIGHTNING_DISK_FULL']);
  expect(await codes([database.put(key(2), key(2))])).toEqual(['–']);
  await database.close();
  database = Database.openOn(new SimulatedDisk({ image: disk.currentImage() }));
  expect([database.getSync(key(1)), database.getSync(key(2))?.[0]]).toEqual([undefined, 2]);
  database.closeSync();
});
