/**
 * How long an opening takes after the process was killed, against the records in the log: CPU time on the simulated disk,
 * where no system call is in it, and time on the wall with its fsyncs on a real one.
 */
import { join } from 'node:path';
import { cpuSeconds, monotonicMilliseconds, threadCpuSeconds } from '../src/base/clock.ts';
import { quantile } from '../src/base/statistics.ts';
import { Engine } from '../src/engine/index.ts';
import type { DiskImage } from '../src/faults/disk-image.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import { makeDirectory, removeTree } from '../src/report/files.ts';
import type { StageContext } from '../src/report/stage.ts';
import { NodeVfs } from '../src/vfs/node-vfs.ts';

/** Records in the log. */
const LENGTHS = [10, 100, 500, 2000, 10_000] as const;
const VALUE_BYTES = 100;
/** Work of one length: so many records are recovered, in as many recoveries as that takes. */
const RECORDS_RECOVERED = 150_000;
const RECOVERIES_MAX = 1000;
const RECOVERIES_MIN = 40;
/** Uncounted recoveries before the counted ones, in parts of them: until the compilers are done. */
const WARM_UP_PART = 0.5;
const REAL_RECOVERIES = 20;
const REAL_RECOVERIES_MIN = 5;

/** Microseconds of the recoveries of one length. */
export interface RecoveryFigures {
  readonly records: number;
  readonly cpu: { readonly p50: number; readonly p99: number; readonly max: number; readonly recoveries: number };
  readonly wall: { readonly p50: number; readonly max: number; readonly fsyncs: number };
}

/** A store whose process was killed with so many commits of one put in its log. */
function storeThatDied(records: number): DiskImage {
  const disk = new SimulatedDisk();
  const engine = Engine.open({ vfs: disk });
  for (let i = 0; i < records; i++) {
    const key = Buffer.from(String((i * 7919) % 1_000_003).padStart(12, '0'));
    engine.commit([{ type: 'put', key, value: Buffer.alloc(VALUE_BYTES, i) }]);
  }
  engine.sync();
  return disk.currentImage();
}

/** @param part of the work: 1 for all of it @param folder where real files may be made; it exists */
export function measureRecovery(records: number, part: number, folder: string): RecoveryFigures {
  const image = storeThatDied(records);
  const wanted = Math.min(RECOVERIES_MAX, Math.max(RECOVERIES_MIN, RECORDS_RECOVERED / records));
  const count = Math.max(10, Math.round(wanted * part));
  const cpu: number[] = [];
  let fsyncs = 0;
  for (let i = -Math.ceil(count * WARM_UP_PART); i < count; i++) {
    let syncs = 0;
    const disk = new SimulatedDisk({
      image,
      observer: ({ operation }) => void (operation === 'sync' || operation === 'syncDirectory' ? syncs++ : 0),
    });
    const start = threadMicroseconds();
    Engine.open({ vfs: disk });
    if (i >= 0) cpu.push(threadMicroseconds() - start);
    fsyncs = syncs;
  }
  const wall = Array.from({ length: Math.max(REAL_RECOVERIES_MIN, Math.round(REAL_RECOVERIES * part)) }, (_, i) =>
    recoverForReal(image, join(folder, `real-${i}`)),
  );
  return {
    records,
    cpu: { p50: quantile(cpu, 0.5), p99: quantile(cpu, 0.99), max: Math.max(...cpu), recoveries: count },
    wall: { p50: quantile(wall, 0.5), max: Math.max(...wall), fsyncs },
  };
}

/** CPU time of this thread. Linux brings it up to date when it is asked for that of the process. */
function threadMicroseconds(): number {
  cpuSeconds();
  return threadCpuSeconds() * 1e6;
}

/** Microseconds on the wall to open a copy of the store on real files. */
function recoverForReal(image: DiskImage, folder: string): number {
  makeDirectory(folder);
  const vfs = new NodeVfs(folder);
  for (const path of image.paths()) copyFile(vfs, path, image.get(path) ?? new Uint8Array(0));
  const start = monotonicMilliseconds();
  const engine = Engine.open({ vfs });
  const used = (monotonicMilliseconds() - start) * 1000;
  engine.close();
  removeTree(folder);
  return used;
}

function copyFile(vfs: NodeVfs, path: string, bytes: Uint8Array): void {
  // The lock makes itself.
  if (path === 'LOCK') return;
  const file = vfs.open(path, 'create');
  file.write(bytes, 0, bytes.length, 0);
  file.sync();
  file.close();
}

/** Measures and reports: figures of each length, and their course as pictures. */
export function reportRecovery(context: StageContext): void {
  const isLong = context.budgetSeconds >= 200;
  const lengths = isLong ? LENGTHS : LENGTHS.slice(0, context.budgetSeconds >= 40 ? 4 : 3);
  const folder = join(context.workDirectory, 'recovery');
  makeDirectory(folder);
  const all = lengths.map((records) => measureRecovery(records, isLong ? 1 : 0.2, folder));
  for (const { records, cpu, wall } of all) {
    context.figure(`recovery of ${records} records, CPU p50`, cpu.p50, 'µs');
    context.figure(`recovery of ${records} records, CPU p99`, cpu.p99, 'µs');
    context.figure(`recovery of ${records} records, CPU maximum`, cpu.max, 'µs');
    context.figure(`recovery of ${records} records on a real disk, p50`, wall.p50, 'µs');
    context.figure(`recovery of ${records} records, fsyncs`, wall.fsyncs, '');
  }
  const course = (name: string, of: (figures: RecoveryFigures) => number): void => {
    const points = all.map((figures): [number, number] => [figures.records, of(figures)]);
    context.series(`recovery, ${name}`, points, 'records in the log', 'µs');
  };
  course('CPU p50 on the simulated disk', ({ cpu }) => cpu.p50);
  course('CPU p99 on the simulated disk', ({ cpu }) => cpu.p99);
  course('p50 on the wall, real disk', ({ wall }) => wall.p50);
}
