/** Operating system errors made by hand, in the shape that Node gives them, where no system call is there to make one. */

const TEXTS = {
  EACCES: 'permission denied',
  EBADF: 'bad file descriptor',
  EDQUOT: 'disk quota exceeded',
  EEXIST: 'file already exists',
  EINVAL: 'invalid argument',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  EMFILE: 'too many open files',
  ENFILE: 'file table overflow',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EROFS: 'read-only file system',
} as const;

/** The names of POSIX errors that this project makes itself. */
export type Errno = keyof typeof TEXTS;

/** An operating system error as a value: `code` is its POSIX name, `syscall` the call, `path` what it was about. */
export interface ErrnoError extends Error {
  readonly code: Errno;
  readonly syscall: string;
  readonly path: string;
}

/** Makes an operating system error; the caller throws or returns it. */
export function errnoError(code: Errno, syscall: string, path: string): ErrnoError {
  return Object.assign(new Error(`${code}: ${TEXTS[code]}, ${syscall} '${path}'`), { code, syscall, path });
}
