/** Fetching the jar: from a server on loopback, into a folder of the test. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { isLightningError } from '../src/base/errors.ts';
import { listFilesBelow, makeDirectory, readText, removeTree, writeWhole } from '../src/report/files.ts';
import { installTlc } from './install-tlc.ts';

const cache = join(tmpdir(), `lightning-db-install-test-${process.pid}`);
const CONTENT = 'not a jar, but what the test asks for';
const EXPECTED = createHash('sha256').update(CONTENT).digest('hex');
let server: Server;
let address: string;
let requests = 0;

beforeAll(async () => {
  server = createServer((request, response) => {
    requests++;
    if (request.url === '/good') response.end(CONTENT);
    else if (request.url === '/other') response.end('something else');
    else if (request.url === '/endless') response.end(Buffer.alloc(17 * 1024 * 1024));
    else {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  address = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
});
beforeEach(() => {
  removeTree(cache);
  makeDirectory(cache);
});
afterAll(() => {
  server.close();
  removeTree(cache);
});

const install = async (path: string): ReturnType<typeof installTlc> =>
  installTlc(`${address}${path}`, { XDG_CACHE_HOME: cache }, EXPECTED);

test('the right file is stored whole, and not fetched again', async () => {
  const { jar, bytes } = await install('/good');
  expect(bytes).toBe(CONTENT.length);
  expect(readText(jar)).toBe(CONTENT);
  const before = requests;
  await install('/good');
  expect(requests).toBe(before);
});

test('a wrong file under the name is replaced by the right one', async () => {
  writeWhole(join(cache, 'lightning-db', 'tla2tools-v1.7.4.jar'), 'older');
  expect(readText((await install('/good')).jar)).toBe(CONTENT);
});

test.each([
  ['/other', 'LIGHTNING_CORRUPTION'],
  ['/endless', 'LIGHTNING_IO'],
  ['/nowhere', 'LIGHTNING_IO'],
])('%s is refused with %s, and nothing is stored', async (path, code) => {
  const error: unknown = await install(path).catch((caught: unknown) => caught);
  expect(isLightningError(error) && error.code).toBe(code);
  expect(listFilesBelow(cache)).toEqual([]);
});
