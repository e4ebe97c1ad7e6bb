/** The small scope as a campaign: whole under each model, and not called whole when it was stopped. */
import { expect, test } from 'vitest';
import { runScopeCampaign, type ScopeOptions } from './scope-campaign.ts';

const OPTIONS: ScopeOptions = {
  length: 1,
  directoryModel: undefined,
  secondsMax: 100,
  signal: new AbortController().signal,
  onProgress: () => undefined,
};

test('every model is walked to its end', () => {
  const scope = runScopeCampaign(OPTIONS);
  expect(scope).toMatchObject({ complete: true, violations: [], length: 1 });
  expect(scope.models.map(({ directoryModel, programs }) => [directoryModel, programs])).toEqual([
    ['strict', 9],
    ['journaled', 9],
    ['ext4', 9],
  ]);
  expect(scope.cycles).toBe(
    scope.models.reduce((sum, { statesByFormula, statesInRecovery }) => sum + statesByFormula + statesInRecovery, 0),
  );
});

test('one that was stopped is not whole', () => {
  const scope = runScopeCampaign({ ...OPTIONS, length: 3, directoryModel: 'ext4', secondsMax: 0 });
  expect(scope).toMatchObject({ complete: false, violations: [], cycles: 0 });
});
