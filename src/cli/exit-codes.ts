/** From what went wrong to one line on standard error and an exit code (the same codes for every command). */
import type { CommanderError } from 'commander';
import { type ErrorCode, isLightningError, type LightningError } from '../base/errors.ts';
import { EXIT } from '../report/verdict.ts';

/** Exit codes of the data commands, for their help. */
export const DATA_EXIT_CODES =
  '\nExit codes: 0 done, 1 not there, damaged, in use, or the disk refuses, 2 usage, 3 a bug, 130 interrupted';

/**
 * The exit code of a data command that threw: 2 when the call must change, 1 when the disk, the damage or the other
 * process must, 3 for a bug of ours.
 */
export function dataExitCode(error: unknown): number {
  if (!isLightningError(error) || error.errorClass === 'bug') return EXIT.broken;
  return error.errorClass === 'usage' ? EXIT.usage : EXIT.fail;
}

/** What standard error gets: one line for a coded error, the stack as well for a bug. Ends with a line break. */
export function errorText(error: unknown): string {
  if (isLightningError(error)) {
    const line = `${lineOf(error)}${isLightningError(error.cause) ? ` (${messageOf(error.cause)})` : ''}\n`;
    return error.errorClass === 'bug' ? `${line}${String(error.stack)}\n` : line;
  }
  return `lightning-db: ${String(error instanceof Error ? (error.stack ?? error.message) : error)}\n`;
}

/** The same for a command line that cannot be understood; `undefined` when help was asked for. */
export function usageText(error: CommanderError): string | undefined {
  if (error.exitCode === 0 || error.code.startsWith('commander.help')) return undefined;
  const code: ErrorCode =
    error.code === 'commander.unknownOption' ? 'LIGHTNING_UNKNOWN_OPTION' : 'LIGHTNING_INVALID_ARGUMENT';
  return `lightning-db: ${code}: ${inOneLine(error.message.replace(/^error: /, ''))}\n`;
}

function lineOf(error: LightningError): string {
  return `lightning-db: ${messageOf(error)}`;
}

function messageOf(error: LightningError): string {
  return `${error.code}: ${inOneLine(error.message)}`;
}

/** File names and arguments may hold anything; a message stays one line that a terminal shows as it is. */
function inOneLine(text: string): string {
  return text
    .replaceAll(/\n\s*/g, ' ')
    .replaceAll(/\p{Cc}/gu, (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
