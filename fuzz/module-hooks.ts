/** Module hooks of this process, for the processes it starts: what edits sources here must edit them there. */

/** The `--import` flags with which this process was started, in their order. */
export function importFlags(): string[] {
  const flags: string[] = [];
  for (const [i, flag] of process.execArgv.entries()) {
    if (flag.startsWith('--import=')) flags.push(flag);
    else if (flag === '--import') flags.push(`--import=${process.execArgv[i + 1]}`);
  }
  return flags;
}
