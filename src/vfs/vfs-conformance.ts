/**
 * What every Vfs must do, as one suite for tests (it imports vitest and is no part of the package's public face). Run
 * against real files and against the simulated disk, so that what the engine learns on one holds on the other.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { errnoOf, isLightningError } from '../base/errors.ts';
import { fromText } from '../base/bytes.ts';
import type { Vfs, VfsFile } from './vfs.ts';

/** A fresh, empty Vfs, and what takes it away after the test. */
export interface VfsUnderTest {
  readonly vfs: Vfs;
  /** Files that are open now, where that can be known. */
  openFileCount?(): number;
  dispose(): void;
}

/** Runs `action` and returns the errno of what it throws; anything but an operating system error fails the test. */
function errnoThrownBy(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return errno;
  }
  return 'no error';
}

/** Declares the suite for one implementation. */
export function vfsConformance(name: string, makeVfs: () => VfsUnderTest): void {
  describe(`${name} as a Vfs`, () => {
    let subject: VfsUnderTest;
    let vfs: Vfs;

    beforeEach(() => {
      subject = makeVfs();
      vfs = subject.vfs;
    });
    afterEach(() => {
      const left = subject.openFileCount?.() ?? 0;
      subject.dispose();
      expect(left).toBe(0);
    });

    function withFile<T>(path: string, mode: 'read' | 'write' | 'create', use: (file: VfsFile) => T): T {
      const file = vfs.open(path, mode);
      try {
        return use(file);
      } finally {
        file.close();
      }
    }
    function createFile(path: string, text: string): void {
      const bytes = fromText(text);
      withFile(path, 'create', (file) => file.write(bytes, 0, bytes.length, 0));
    }
    function textOf(file: VfsFile): string {
      const bytes = new Uint8Array(file.size());
      expect(file.read(bytes, 0, bytes.length, 0)).toBe(bytes.length);
      return Buffer.from(bytes).toString('latin1');
    }
    const contentOf = (path: string): string => withFile(path, 'read', textOf);

    describe('open', () => {
      test('refuses a missing file and a missing parent', () => {
        for (const mode of ['read', 'write'] as const) expect(errnoThrownBy(() => vfs.open('a', mode))).toBe('ENOENT');
        expect(errnoThrownBy(() => vfs.open('folder/a', 'read'))).toBe('ENOENT');
        expect(errnoThrownBy(() => vfs.open('folder/a', 'create'))).toBe('ENOENT');
      });
      test('creates only what is not there', () => {
        createFile('a', 'text');
        expect(errnoThrownBy(() => vfs.open('a', 'create'))).toBe('EEXIST');
        expect(contentOf('a')).toBe('text');
        vfs.makeDirectory('folder');
        expect(errnoThrownBy(() => vfs.open('folder', 'create'))).toBe('EEXIST');
      });
      test('refuses a folder, and a file used as a folder', () => {
        vfs.makeDirectory('folder');
        createFile('a', '');
        for (const mode of ['read', 'write'] as const) {
          expect(errnoThrownBy(() => vfs.open('folder', mode))).toBe('EISDIR');
          expect(errnoThrownBy(() => vfs.open('', mode))).toBe('EISDIR');
          expect(errnoThrownBy(() => vfs.open('a/b', mode))).toBe('ENOTDIR');
        }
        expect(errnoThrownBy(() => vfs.open('a/b', 'create'))).toBe('ENOTDIR');
      });
      test('does not truncate an existing file', () => {
        createFile('a', 'text');
        withFile('a', 'write', (file) => expect(textOf(file)).toBe('text'));
      });
    });

    describe('reads and writes', () => {
      test('a slice lands at its position, and is read from it', () => {
        withFile('a', 'create', (file) => {
          file.write(fromText('..hello..'), 2, 5, 0);
          file.write(fromText('LL'), 0, 2, 2);
          expect(textOf(file)).toBe('heLLo');
          const target = fromText('------');
          expect(file.read(target, 1, 3, 1)).toBe(3);
          expect(Buffer.from(target).toString()).toBe('-eLL--');
        });
      });
      test('a read at the end is short, and past it is empty', () => {
        withFile('a', 'create', (file) => {
          file.write(fromText('abc'), 0, 3, 0);
          const target = fromText('------');
          expect(file.read(target, 0, 6, 1)).toBe(2);
          expect(Buffer.from(target).toString()).toBe('bc----');
          expect(file.read(target, 0, 6, 3)).toBe(0);
          expect(file.read(target, 0, 6, 4000)).toBe(0);
          expect(file.read(target, 0, 0, 0)).toBe(0);
        });
      });
      test('a write beyond the end fills with zeros; an empty one changes nothing', () => {
        withFile('a', 'create', (file) => {
          file.write(fromText('ab'), 0, 2, 0);
          file.write(fromText('cd'), 0, 2, 5);
          expect(textOf(file)).toBe('ab\0\0\0cd');
          file.write(fromText('x'), 0, 0, 100);
          expect(file.size()).toBe(7);
        });
      });
      test('the bytes are taken at the call', () => {
        withFile('a', 'create', (file) => {
          const bytes = fromText('abc');
          file.write(bytes, 0, 3, 0);
          bytes.fill(0);
          file.sync();
          expect(textOf(file)).toBe('abc');
        });
      });
      test('large files grow piece by piece', () => {
        withFile('a', 'create', (file) => {
          const piece = new Uint8Array(70_001).map((_, i) => i % 251);
          for (let i = 0; i < 10; i++) file.write(piece, 0, piece.length, i * piece.length);
          expect(file.size()).toBe(700_010);
          const target = new Uint8Array(piece.length);
          for (let i = 0; i < 10; i++) {
            expect(file.read(target, 0, target.length, i * piece.length)).toBe(piece.length);
            expect(Buffer.compare(target, piece)).toBe(0);
          }
        });
      });
      test('two open files on one name see each other', () => {
        createFile('a', 'one');
        withFile('a', 'write', (writer) => {
          withFile('a', 'read', (reader) => {
            writer.write(fromText('two'), 0, 3, 0);
            expect(textOf(reader)).toBe('two');
          });
        });
      });
      test('a file opened for reading is not written', () => {
        createFile('a', 'text');
        withFile('a', 'read', (file) => {
          expect(errnoThrownBy(() => file.write(fromText('x'), 0, 1, 0))).toBe('EBADF');
          expect(['EINVAL', 'EBADF']).toContain(errnoThrownBy(() => file.truncate(0)));
          expect(textOf(file)).toBe('text');
        });
      });
    });

    describe('truncate', () => {
      test('cuts, and extends with zeros, never with what was there before', () => {
        withFile('a', 'create', (file) => {
          file.write(fromText('abcdef'), 0, 6, 0);
          file.truncate(2);
          expect(textOf(file)).toBe('ab');
          file.truncate(5);
          expect(textOf(file)).toBe('ab\0\0\0');
          file.truncate(1);
          file.write(fromText('z'), 0, 1, 3);
          expect(textOf(file)).toBe('a\0\0z');
          file.truncate(0);
          expect(file.size()).toBe(0);
        });
      });
    });

    describe('sync', () => {
      test('leaves what is read as it is', () => {
        withFile('a', 'create', (file) => {
          file.sync();
          file.write(fromText('abc'), 0, 3, 0);
          file.sync();
          expect(textOf(file)).toBe('abc');
        });
        vfs.syncDirectory('');
        withFile('a', 'read', (file) => file.sync());
        expect(contentOf('a')).toBe('abc');
      });
      test('off the thread calls back once, later and not from inside', async () => {
        const file = vfs.open('a', 'create');
        file.write(fromText('abc'), 0, 3, 0);
        let inside = true;
        const outcomes: unknown[] = [];
        await new Promise<void>((resolve) => {
          file.syncAsync((error) => {
            outcomes.push(error, inside);
            resolve();
          });
          expect(outcomes).toEqual([]);
          file.write(fromText('def'), 0, 3, 3);
          inside = false;
        });
        expect(outcomes).toEqual([undefined, false]);
        expect(textOf(file)).toBe('abcdef');
        file.close();
      });
      test('off the thread outlives a close', async () => {
        const file = vfs.open('a', 'create');
        file.write(fromText('abc'), 0, 3, 0);
        const outcome = await new Promise<unknown>((resolve) => {
          file.syncAsync(resolve);
          file.close();
        });
        expect(outcome).toBe(undefined);
        expect(contentOf('a')).toBe('abc');
      });
    });

    describe('close', () => {
      test('twice, or use after it, is an error of the caller', () => {
        const file = vfs.open('a', 'create');
        file.close();
        expect(() => file.close()).toThrow('broken invariant');
        expect(() => file.size()).toThrow('broken invariant');
        expect(() => file.read(new Uint8Array(1), 0, 1, 0)).toThrow('broken invariant');
        expect(() => file.write(new Uint8Array(1), 0, 1, 0)).toThrow('broken invariant');
        expect(() => file.sync()).toThrow('broken invariant');
        expect(() => file.truncate(0)).toThrow('broken invariant');
      });
    });

    describe('names', () => {
      test('rename moves a name, and replaces a file that is there', () => {
        createFile('a', 'new');
        createFile('b', 'old');
        vfs.rename('a', 'b');
        expect(vfs.list('')).toEqual(['b']);
        expect(contentOf('b')).toBe('new');
        vfs.rename('b', 'b');
        expect(contentOf('b')).toBe('new');
        vfs.makeDirectory('folder');
        vfs.rename('b', 'folder/c');
        expect([vfs.list(''), vfs.list('folder')]).toEqual([['folder'], ['c']]);
        expect(contentOf('folder/c')).toBe('new');
      });
      test('an open file follows its rename, and outlives its replacement', () => {
        createFile('a', 'new');
        createFile('b', 'old');
        withFile('b', 'read', (replaced) => {
          withFile('a', 'write', (moved) => {
            vfs.rename('a', 'b');
            moved.write(fromText('N'), 0, 1, 0);
            expect(textOf(replaced)).toBe('old');
          });
        });
        expect(contentOf('b')).toBe('New');
      });
      test('rename refuses what is missing and what does not fit', () => {
        vfs.makeDirectory('folder');
        createFile('folder/inside', '');
        vfs.makeDirectory('other');
        createFile('a', 'text');
        expect(errnoThrownBy(() => vfs.rename('missing', 'b'))).toBe('ENOENT');
        expect(errnoThrownBy(() => vfs.rename('a', 'missing/b'))).toBe('ENOENT');
        expect(errnoThrownBy(() => vfs.rename('a', 'folder'))).toBe('EISDIR');
        expect(errnoThrownBy(() => vfs.rename('folder', 'a'))).toBe('ENOTDIR');
        expect(errnoThrownBy(() => vfs.rename('a/b', 'b'))).toBe('ENOTDIR');
        expect(errnoThrownBy(() => vfs.rename('a', 'a/b'))).toBe('ENOTDIR');
        expect(errnoThrownBy(() => vfs.rename('folder', 'folder/below'))).toBe('EINVAL');
        expect(errnoThrownBy(() => vfs.rename('other', 'folder'))).toBe('ENOTEMPTY');
        expect(contentOf('a')).toBe('text');
      });
      test('rename moves a folder with what is in it, also over an empty one', () => {
        vfs.makeDirectory('folder');
        createFile('folder/a', 'text');
        vfs.makeDirectory('empty');
        vfs.rename('folder', 'empty');
        expect(vfs.list('')).toEqual(['empty']);
        expect(contentOf('empty/a')).toBe('text');
      });
      test('unlink removes the name, and an open file lives on', () => {
        createFile('a', 'text');
        withFile('a', 'write', (file) => {
          vfs.unlink('a');
          expect(vfs.kind('a')).toBe(undefined);
          expect(textOf(file)).toBe('text');
          file.write(fromText('T'), 0, 1, 0);
          file.sync();
          createFile('a', 'another');
          expect(textOf(file)).toBe('Text');
        });
        expect(contentOf('a')).toBe('another');
      });
      test('unlink refuses what is missing, and folders', () => {
        expect(errnoThrownBy(() => vfs.unlink('a'))).toBe('ENOENT');
        createFile('a', '');
        expect(errnoThrownBy(() => vfs.unlink('a/b'))).toBe('ENOTDIR');
        vfs.makeDirectory('folder');
        expect(['EISDIR', 'EPERM']).toContain(errnoThrownBy(() => vfs.unlink('folder')));
        expect(vfs.kind('folder')).toBe('directory');
      });
      test('list sorts by code units and shows one folder only', () => {
        expect(vfs.list('')).toEqual([]);
        for (const name of ['b', 'a', 'Z', 'a.10', 'a.9', '.hidden']) createFile(name, '');
        vfs.makeDirectory('a-folder');
        createFile('a-folder/inside', '');
        expect(vfs.list('')).toEqual(['.hidden', 'Z', 'a', 'a-folder', 'a.10', 'a.9', 'b']);
        expect(vfs.list('.')).toEqual(vfs.list(''));
        expect(vfs.list('a-folder')).toEqual(['inside']);
        expect(errnoThrownBy(() => vfs.list('missing'))).toBe('ENOENT');
        expect(errnoThrownBy(() => vfs.list('a'))).toBe('ENOTDIR');
      });
      test('kind tells files, folders and nothing apart', () => {
        createFile('a', '');
        vfs.makeDirectory('folder');
        expect(['a', 'folder', '', 'missing', 'missing/b', 'a/b'].map((path) => vfs.kind(path))).toEqual([
          'file',
          'directory',
          'directory',
          undefined,
          undefined,
          undefined,
        ]);
      });
      test('makeDirectory makes one folder, where nothing is', () => {
        createFile('a', '');
        expect(errnoThrownBy(() => vfs.makeDirectory('a'))).toBe('EEXIST');
        expect(errnoThrownBy(() => vfs.makeDirectory(''))).toBe('EEXIST');
        expect(errnoThrownBy(() => vfs.makeDirectory('x/y'))).toBe('ENOENT');
        expect(errnoThrownBy(() => vfs.makeDirectory('a/y'))).toBe('ENOTDIR');
        vfs.makeDirectory('x');
        vfs.makeDirectory('x/y');
        createFile('x/y/z', 'deep');
        expect(contentOf('x/y/z')).toBe('deep');
        expect(errnoThrownBy(() => vfs.makeDirectory('x/y'))).toBe('EEXIST');
      });
      test('syncDirectory is for folders that are there', () => {
        createFile('a', '');
        vfs.syncDirectory('');
        expect(errnoThrownBy(() => vfs.syncDirectory('missing'))).toBe('ENOENT');
        expect(errnoThrownBy(() => vfs.syncDirectory('a'))).toBe('ENOTDIR');
      });
      test('a path that leaves the root is refused', () => {
        for (const path of ['/a', '../a', 'a/../../b', 'a//b', 'a/', 'a/./b', 'a\0b', '..\\a']) {
          expect(() => vfs.open(path, 'create')).toThrow('never leaves its root');
          expect(() => vfs.kind(path)).toThrow('never leaves its root');
          expect(() => vfs.unlink(path)).toThrow('never leaves its root');
          expect(() => vfs.rename(path, 'b')).toThrow('never leaves its root');
        }
      });
    });

    describe('lock', () => {
      const isLocked = (path: string): boolean => {
        try {
          vfs.lock(path).release();
          return false;
        } catch (error) {
          if (isLightningError(error, 'LIGHTNING_LOCKED')) return true;
          throw error;
        }
      };
      test('has one holder, and is free again after its release', () => {
        const lock = vfs.lock('LOCK');
        expect(isLocked('LOCK')).toBe(true);
        expect(isLocked('LOCK')).toBe(true);
        expect(isLocked('OTHER')).toBe(false);
        lock.release();
        expect(isLocked('LOCK')).toBe(false);
        expect(isLocked('LOCK')).toBe(false);
        expect(() => lock.release()).toThrow('released once');
      });
      test('leaves one file and nothing beside it', () => {
        const lock = vfs.lock('LOCK');
        expect(vfs.list('')).toEqual(['LOCK']);
        expect(vfs.kind('LOCK')).toBe('file');
        lock.release();
        expect(vfs.list('')).toEqual(['LOCK']);
        expect(contentOf('LOCK')).toBe('');
      });
      test('refuses a missing folder, and a folder', () => {
        expect(errnoThrownBy(() => vfs.lock('missing/LOCK'))).toBe('ENOENT');
        expect(vfs.list('')).toEqual([]);
        vfs.makeDirectory('folder');
        expect(errnoThrownBy(() => vfs.lock('folder'))).toBe('EISDIR');
        expect(vfs.list('')).toEqual(['folder']);
      });
      test('is opened by nobody while it is held', () => {
        const lock = vfs.lock('LOCK');
        expect(() => vfs.open('LOCK', 'read')).toThrow('nothing opens a lock');
        lock.release();
      });
    });
  });
}
