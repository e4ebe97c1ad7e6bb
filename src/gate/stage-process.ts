/**
 * One process of a stage, in a process group of its own: started, listened to, and ended as a group when its time is up
 * or the run is interrupted, so that no child of a stage outlives it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { monotonicMilliseconds } from '../base/clock.ts';

/** How much of the standard error of a process is kept. */
const LOG_LINE_COUNT_MAX = 60;
/** How long output may still come after the process itself has ended. */
const DRAIN_MILLISECONDS = 500;

/** What to start. */
export interface ProcessRequest {
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

/** How it ended. */
export interface ProcessResult {
  readonly exitCode: number | undefined;
  readonly endedBy: 'itself' | 'signal' | 'timeout' | 'interrupt';
  readonly signalName: string;
  readonly durationSeconds: number;
  /** The last lines of its standard error that were not progress. */
  readonly log: readonly string[];
}

/** Ends a whole process group; one that is already gone is no error. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function progressText(line: string): string | undefined {
  if (!line.startsWith('{"progress":')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || !('progress' in value)) return undefined;
    const done = 'done' in value ? ` ${String(value.done)}` : '';
    const total = 'total' in value ? `/${String(value.total)}` : '';
    return `${String(value.progress)}${done}${total}`;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Runs one process to its end. Never rejects for what the process does. */
export function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  const start = monotonicMilliseconds();
  const log: string[] = [];
  const note = (line: string): void => {
    log.push(line);
    if (log.length > LOG_LINE_COUNT_MAX) log.shift();
  };
  const child = spawn(process.execPath, request.arguments, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...request.environment },
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    const progress = progressText(line);
    if (progress === undefined) note(line);
    else request.onProgress(progress);
  });
  child.stdout.resume();
  return new Promise((resolve) => {
    let endedBy: ProcessResult['endedBy'] = 'itself';
    let exitCode: number | null = null;
    let signalName = '';
    const end = (reason: 'timeout' | 'interrupt'): void => {
      endedBy = reason;
      endGroup(child);
    };
    const onAbort = (): void => end('interrupt');
    const timer = setTimeout(() => end('timeout'), request.timeoutSeconds * 1000);
    let finished = false;
    const finish = (): void => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      request.signal.removeEventListener('abort', onAbort);
      // Children it may have left behind belong to the same group.
      endGroup(child);
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({
        exitCode: exitCode ?? undefined,
        endedBy: endedBy === 'itself' && signalName !== '' ? 'signal' : endedBy,
        signalName,
        durationSeconds: (monotonicMilliseconds() - start) / 1000,
        log,
      });
    };
    child.on('error', (error) => note(error.message));
    child.on('error', finish);
    child.on('close', finish);
    child.on('exit', (code, signal) => {
      exitCode = code;
      signalName = signal ?? '';
      setTimeout(finish, DRAIN_MILLISECONDS).unref();
    });
    if (request.signal.aborted) onAbort();
    else request.signal.addEventListener('abort', onAbort);
  });
}
