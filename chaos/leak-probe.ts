/** Starts a watched process, gathers its measurements, and says what grows. */
import { LightningError } from '../src/base/errors.ts';
import { Child } from './child.ts';
import { BoundedSeries, type Growth } from './leak-statistics.ts';
import { judgeMetrics, type Measurement, type Metric, METRIC_NAMES } from './soak-metrics.ts';
import type { SoakMessage, SoakRequest } from './soak-child.ts';

/** A watched run. */
export interface ProbeResult {
  readonly growth: ReadonlyMap<Metric, Growth>;
  readonly series: ReadonlyMap<Metric, BoundedSeries>;
  readonly measurements: number;
  readonly operations: number;
  readonly repetitions: number;
  /** What went wrong in the run itself. */
  readonly failure: { readonly class: string; readonly error: string; readonly repetitions: number } | undefined;
}

/** A process under observation. */
export class LeakProbe {
  private readonly child: Child<SoakMessage>;
  private readonly series = new Map<Metric, BoundedSeries>(METRIC_NAMES.map((name) => [name, new BoundedSeries()]));
  private failure: ProbeResult['failure'];
  private done = false;
  private latest: Measurement | undefined;
  private measurements = 0;
  private repetitions = 0;

  constructor(request: SoakRequest, onMeasurement: (measurement: Measurement) => void = () => undefined) {
    this.child = new Child<SoakMessage>({
      program: 'soak-child',
      request,
      nodeFlags: ['--expose-gc'],
      onMessage: (message) => {
        if (message.kind === 'done') this.done = true;
        else if (message.kind === 'failed') this.failure = message;
        else {
          this.take(message.measurement);
          this.repetitions = message.repetitions;
          onMeasurement(message.measurement);
        }
      },
    });
  }

  private take(measurement: Measurement): void {
    this.latest = measurement;
    this.measurements++;
    for (const [name, series] of this.series) series.add([measurement.operations, measurement[name]]);
  }

  /** Asks the process to end after its repetition. */
  stop(): void {
    this.child.send({ stop: true });
  }

  /** What can be said now. */
  result(durationSeconds: number): ProbeResult {
    return {
      growth: judgeMetrics((name) => this.series.get(name)?.samples ?? [], durationSeconds),
      series: this.series,
      measurements: this.measurements,
      operations: this.latest?.operations ?? 0,
      repetitions: this.repetitions,
      failure: this.failure,
    };
  }

  /** Resolves when the process has ended. @throws (rejects) LightningError when it died without a word */
  async ended(): Promise<void> {
    const end = await this.child.ended;
    if (this.done || this.failure !== undefined) return;
    throw new LightningError('LIGHTNING_HARNESS', 'the watched process died', { ...end });
  }
}

/** Measurements after which growth that the garbage collector has no part in is believed at once. */
const EARLY_MEASUREMENTS = 24;

/**
 * Runs one probe to its end, or until something but the heap surely grows. Budgets are those of a short run, whatever its
 * length.
 * @param earliest measurements before which it does not stop
 */
export async function probe(request: SoakRequest, earliest = EARLY_MEASUREMENTS): Promise<ProbeResult> {
  let measurements = 0;
  const running = new LeakProbe(request, () => {
    measurements++;
    if (measurements < earliest || measurements % 8 !== 0) return;
    if (growing(running.result(0)).some((metric) => metric !== 'heap')) running.stop();
  });
  await running.ended();
  return running.result(0);
}

/** The metrics that grow. */
export function growing(result: ProbeResult): Metric[] {
  return METRIC_NAMES.filter((name) => result.growth.get(name)?.verdict === 'grows');
}
