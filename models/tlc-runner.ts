/**
 * Asks TLC, the authority, about one configuration. Needs Java 11 or later and `tla2tools.jar` v1.7.4, in the file named
 * by `TLA2TOOLS_JAR` or in the cache folder; a jar with other contents is refused. Without them the answer is *unknown*.
 */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileExists, makeDirectory, readBytes, readText, removeTree } from '../src/report/files.ts';
import { type CheckOutcome, type CheckRequest, parseAssignments, type TraceState } from './check-outcome.ts';
import { type ChildResult, runChild } from './child-process.ts';
import { parseConfigurationFile } from './configuration-file.ts';

/** SHA-256 of tla2tools.jar v1.7.4, from the release page of the TLA+ tools. */
export const JAR_SHA256 = '936a262061c914694dfd669a543be24573c45d5aa0ff20a8b96b23d01e050e88';
const JAR_NAME = 'tla2tools-v1.7.4.jar';
const JAVA_VERSION_MIN = 11;

/** Where the jar is, or why TLC cannot run. */
export type TlcInstallation =
  { readonly available: true; readonly jar: string } | { readonly available: false; readonly reason: string };

/** Where the jar is looked for: the file that `TLA2TOOLS_JAR` names, or in the cache folder. */
export function tlcJarPath(environment: NodeJS.ProcessEnv = process.env): string {
  const cache = environment['XDG_CACHE_HOME'] ?? join(environment['HOME'] ?? homedir(), '.cache');
  return environment['TLA2TOOLS_JAR'] ?? join(cache, 'lightning-db', JAR_NAME);
}

/** Looks for the jar and a Java that is new enough. */
export async function findTlc(environment: NodeJS.ProcessEnv = process.env): Promise<TlcInstallation> {
  const jar = tlcJarPath(environment);
  if (!fileExists(jar)) {
    return {
      available: false,
      reason: `no ${JAR_NAME}: ${jar} (TLA2TOOLS_JAR names another, models --install-tlc fetches it)`,
    };
  }
  const actual = createHash('sha256').update(readBytes(jar)).digest('hex');
  if (actual !== JAR_SHA256) return { available: false, reason: `${jar} is not v1.7.4: its SHA-256 is ${actual}` };
  const java = await runChild('java', ['-version'], { timeLimitSeconds: 20 });
  const version = /version "(?:1\.)?(\d+)/.exec(java.errors);
  if (java.exitCode !== 0 || version === null) return { available: false, reason: 'Java does not run' };
  if (Number(version[1]) < JAVA_VERSION_MIN) {
    return { available: false, reason: `Java ${version[1]} is older than ${JAVA_VERSION_MIN}` };
  }
  return { available: true, jar };
}

function parseTrace(output: string): TraceState[] {
  const trace: TraceState[] = [];
  for (const block of output.split(/^State \d+: /m).slice(1)) {
    const lines = block.split('\n');
    const end = lines.findIndex((line, index) => index > 0 && line.trim() === '');
    const action = /^<(\w+)/.exec(lines[0])?.[1] ?? '';
    trace.push({ action, values: parseAssignments(lines.slice(1, end < 0 ? undefined : end)) });
  }
  return trace;
}

function numberIn(output: string, pattern: RegExp): number | undefined {
  const matches = [...output.matchAll(pattern)];
  const last = matches.at(-1);
  return last === undefined ? undefined : Number(last[1].replaceAll(',', ''));
}

/** Turns what TLC printed into an outcome. `properties` names temporal properties, which TLC does not. */
export function interpretTlc(child: ChildResult, properties: readonly string[], limitSeconds: number): CheckOutcome {
  if (child.timedOut) return { verdict: 'unknown', reason: `TLC did not end within ${limitSeconds} s` };
  if (child.startError !== undefined) return { verdict: 'broken', reason: `TLC: ${child.startError.message}` };
  const { output } = child;
  const distinctStates = numberIn(output, /([\d,]+) distinct states found, [\d,]+ states left on queue\.$/gm);
  const depth = numberIn(output, /depth of the complete state graph search is (\d+)/g);
  if (child.exitCode === 0 && output.includes('No error has been found') && distinctStates !== undefined) {
    return { verdict: 'pass', distinctStates, depth };
  }
  const named = /Error: Invariant (\w+) is violated/.exec(output)?.[1];
  const temporal = /Temporal properties were violated|Action property .* is violated/.test(output);
  const invariant = named ?? (temporal ? properties.join(' or ') : undefined);
  if (invariant !== undefined) {
    return { verdict: 'violated', invariant, distinctStates: distinctStates ?? 0, trace: parseTrace(output) };
  }
  const error = /^(?:Error: |\*\*\*)[\s\S]{0,400}/m.exec(output)?.[0] ?? child.errors.slice(0, 400);
  return { verdict: 'broken', reason: `TLC exit ${child.exitCode ?? 'by signal'}: ${error}` };
}

/** Checks one configuration with TLC; deadlocks are allowed, since behaviours are bounded by guards. */
export async function runTlc(request: CheckRequest, installation: TlcInstallation): Promise<CheckOutcome> {
  if (!installation.available) return { verdict: 'unknown', reason: installation.reason };
  const configuration = parseConfigurationFile(readText(request.configurationPath));
  const scratch = join(request.workDirectory, `tlc-${process.pid}-${scratchNumber++}`);
  makeDirectory(scratch);
  try {
    const child = await runChild(
      'java',
      [
        // TLC unpacks its standard modules there; two processes must not share the folder.
        `-Djava.io.tmpdir=${scratch}`,
        '-XX:+UseSerialGC',
        // A function of a function of … that a long trace builds up is evaluated when it is asked for.
        '-Xss64m',
        ...['-cp', installation.jar, 'tlc2.TLC', '-deadlock', '-workers', '1'],
        ...['-metadir', scratch, '-config', request.configurationPath, request.modelPath],
      ],
      { timeLimitSeconds: request.timeLimitSeconds },
    );
    return interpretTlc(child, configuration.properties, request.timeLimitSeconds);
  } finally {
    removeTree(scratch);
  }
}

let scratchNumber = 0;
