/**
 * Child processes of the chaos and soak stages: started with the flags of this process (so that a module hook reaches
 * them), told what to do by one message, ended by their id. A child that loses its parent ends itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { LightningError } from '../src/base/errors.ts';

/** How much of a child's standard error is kept for the report. */
const LOG_BYTES_MAX = 8192;

/** How a child ended. */
export interface ChildEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of its standard error. */
  readonly log: string;
}

/** What to start. */
export interface ChildRequest<Message> {
  /** Name of a program in this folder, without its suffix. */
  readonly program: string;
  /** Sent as the first message. */
  readonly request: object;
  /** Commands put before `node`, each of which replaces itself by what follows: `unshare -Urm`, say. */
  readonly prefix?: readonly string[];
  readonly nodeFlags?: readonly string[];
  readonly onMessage: (message: Message) => void;
}

/** The file of a program in this folder, in the form that runs. */
export function programFile(program: string): string {
  const suffix = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return fileURLToPath(new URL(`./${program}${suffix}`, import.meta.url));
}

/** A child that speaks JSON messages. */
export class Child<Message> {
  private readonly process: ChildProcess;
  /** Settles when the child has ended and everything that it said has been heard. */
  readonly ended: Promise<ChildEnd>;

  constructor({ program, request, prefix = [], nodeFlags = [], onMessage }: ChildRequest<Message>) {
    const command = [...prefix, process.execPath, ...process.execArgv, ...nodeFlags, programFile(program)];
    const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.process = child;
    let log = '';
    child.stderr?.setEncoding('utf8');
    child.stderr?.on('data', (text: string) => {
      log = (log + text).slice(-LOG_BYTES_MAX);
    });
    child.on('message', (message) => onMessage(message as Message));
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, log: error.message }));
      child.once('close', (code, signal) => resolve({ code, signal, log }));
    });
    this.send(request);
  }

  /** Sends one message; one that comes too late for a dead child is dropped. */
  send(message: object): void {
    if (this.process.connected) this.process.send(message, () => undefined);
  }

  /** SIGKILL, now. A child that has ended already is left alone. */
  kill(): void {
    this.process.kill('SIGKILL');
  }
}

/** Runs a child that answers with one report and ends; kills it after `timeoutSeconds`. */
export async function askChild<Report>(
  request: Omit<ChildRequest<Report>, 'onMessage'>,
  timeoutSeconds: number,
): Promise<{ readonly report: Report | undefined; readonly end: ChildEnd; readonly timedOut: boolean }> {
  let report: Report | undefined;
  let timedOut = false;
  const child = new Child<Report>({ ...request, onMessage: (message) => (report = message) });
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill();
  }, timeoutSeconds * 1000);
  const end = await child.ended;
  clearTimeout(timer);
  return { report, end, timedOut };
}

/** In a child: the one request of its parent. The process ends when the parent does. */
export async function receiveRequest<Request>(): Promise<Request> {
  if (process.send === undefined) throw new LightningError('LIGHTNING_HARNESS', 'this program is started by its stage');
  process.once('disconnect', () => process.exit(0));
  return new Promise((resolve) => process.once('message', (message) => resolve(message as Request)));
}

/** In a child: says something to the parent. Handed to the operating system before this returns, unless its pipe is full. */
export function tell(message: object): void {
  process.send?.(message);
}

/** In a child: says the last thing, and ends when the parent can hear it. */
export function tellAndEnd(message: object): void {
  process.send?.(message, () => process.exit(0));
}
