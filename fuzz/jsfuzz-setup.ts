/**
 * Loaded into both processes of jsfuzz before its own code (`NODE_OPTIONS=--import`).
 *
 * - In the process that makes inputs: its randomness is seeded, so that a run is a function of seed and sources.
 * - In the process that runs the target: sources of this project are instrumented while they load. jsfuzz itself
 *   instruments CommonJS alone; the same instrumenter in a module hook makes ES modules yield coverage, with their types
 *   stripped and with whatever an earlier hook made of them. Nothing has to be bundled, so the published package fuzzes
 *   too. An exception or rejection that nobody handles aborts: jsfuzz would exit 0 over it.
 */
import { createHash } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { createRequire, registerHooks, stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Prng } from '../src/base/prng.ts';
import { readTextIfThere } from '../src/report/files.ts';
import { FUZZ_CACHE_VARIABLE, FUZZ_FUNCTION_SYMBOL, FUZZ_SEED_VARIABLE } from './jsfuzz-variables.ts';

interface Instrumenter {
  instrumentSync(code: string, fileName: string): string;
}

interface InstrumentModule {
  createInstrumenter(options: object): Instrumenter;
}

/** Folders whose modules count for coverage. */
const JUDGED = /\/src\/(engine|base|vfs|history|checkers)\/[^/]+\.[jt]s$/;

function instrumentSources(): void {
  const fromJsfuzz = createRequire(createRequire(import.meta.url).resolve('jsfuzz/package.json'));
  const { createInstrumenter } = fromJsfuzz('istanbul-lib-instrument') as InstrumentModule;
  const instrumenter = createInstrumenter({ compact: true, esModules: true });
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!JUDGED.test(url) || loaded.source === null || loaded.source === undefined) return loaded;
      const { source } = loaded;
      const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
      const key = createHash('sha256').update(`${url}\n${text}`).digest('hex');
      const kept = join(process.env[FUZZ_CACHE_VARIABLE] ?? tmpdir(), `${key}.js`);
      const known = readTextIfThere(kept);
      if (known !== undefined) return { ...loaded, format: 'module', source: known };
      const plain = url.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
      const instrumented = instrumenter.instrumentSync(plain, fileURLToPath(url));
      // Through a name of its own and a rename: two processes may be at it.
      writeFileSync(`${kept}.${process.pid}`, instrumented);
      renameSync(`${kept}.${process.pid}`, kept);
      return { ...loaded, format: 'module', source: instrumented };
    },
  });
}

if (process.send === undefined) {
  const random = new Prng(Number(process.env[FUZZ_SEED_VARIABLE] ?? '0'));
  Reflect.set(Math, 'random', () => random.float());
} else {
  process.on('uncaughtException', () => process.abort());
  process.on('unhandledRejection', () => process.abort());
  instrumentSources();
  // Only now, when the hook is in place.
  const { fuzz } = await import('./jsfuzz-target.ts');
  Reflect.set(globalThis, Symbol.for(FUZZ_FUNCTION_SYMBOL), fuzz);
}
