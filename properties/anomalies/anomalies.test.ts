import { describe, expect, test } from 'vitest';
import { checkIsolation } from '../../src/checkers/explain/report.ts';
import { namedHistories } from './anomalies.ts';

describe('the anomalies of the literature', () => {
  test.each(namedHistories().map((entry) => [entry.name, entry] as const))('%s', (_, entry) => {
    const report = checkIsolation(entry.history);
    const names = report.anomalies.map((anomaly) => anomaly.name);
    if (entry.expect === null) expect(report.anomalies).toEqual([]);
    else expect(names).toContain(entry.expect);
    expect(report.strongest).toEqual(entry.strongest);
  });
});
