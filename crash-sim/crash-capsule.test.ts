/** What a capsule records, and what a replay says beside it. */
import { expect, test } from 'vitest';
import { isLightningError } from '../src/base/errors.ts';
import { compareRecording, recordedImage, recordingOf } from './crash-capsule.ts';
import type { CrashCase } from './crash-case.ts';
import { recordCase } from './crash-recording.ts';

const crashCase: CrashCase = {
  format: 1,
  program: { format: 1, options: {}, operations: [{ kind: 'put', key: '61', value: { repeat: '31', length: 3000 } }] },
  machine: { directoryModel: 'journaled', tearBytes: 512, faults: [] },
  cuts: [
    { step: 12, choices: [] },
    { step: 5, choices: [] },
  ],
};
const plain = (value: unknown): ReturnType<typeof recordingOf> =>
  JSON.parse(JSON.stringify(value)) as ReturnType<typeof recordingOf>;

test('a recording of the same sources is met step by step, and its disks are the disks that were left', () => {
  const recording = plain(recordingOf(crashCase));
  expect(recording.legs).toHaveLength(2);
  expect(compareRecording(crashCase, recording)).toMatchObject({
    fits: true,
    courseText: expect.stringMatching(/^as recorded: the same 15 steps/) as string,
    diskText: 'opens with 0 rows',
  });
  for (const [i, { left }] of recordCase(crashCase).entries()) {
    expect(recordedImage(recording.legs[i])?.equals(left)).toBe(true);
  }
});

test('another step, another disk and a missing end are told, with the place', () => {
  const course = (change: (recording: ReturnType<typeof recordingOf>) => void): string => {
    const recording = plain(recordingOf(crashCase));
    change(recording);
    return compareRecording(crashCase, recording).courseText;
  };
  expect(course(({ legs }) => (legs[0].steps[10] = 'another step'))).toMatch(
    /^differs in the first run: recorded "another step", now "11 write wal-1\.log/,
  );
  expect(course(({ legs }) => legs[1].steps.push('one more'))).toMatch(/^differs in recovery 1: .*now "nothing"/);
  expect(course(({ legs }) => (legs[1].stepCount += 1))).toMatch(/^differs in recovery 1: 5 steps recorded, now 4/);
});

test('a recorded disk that is not the one its hash names is refused', () => {
  const recording = plain(recordingOf(crashCase));
  const files = recording.legs[1].files ?? {};
  files['MANIFEST'] = files['LOCK'];
  expect(() => compareRecording(crashCase, recording)).toThrow(/another hash/);
  files['MANIFEST'] = '!!';
  try {
    compareRecording(crashCase, recording);
    expect.unreachable();
  } catch (error) {
    expect(isLightningError(error, 'LIGHTNING_EVIDENCE_REFUSED')).toBe(true);
  }
});

test('a case whose cut is behind the end of the run does not fit', () => {
  const late = { ...crashCase, cuts: [{ step: 300, choices: [] }] };
  expect(compareRecording(late, recordingOf(late))).toMatchObject({ fits: false });
});
