import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { listNames, readText } from '../src/report/files.ts';
import { parseConfigurationFile } from './configuration-file.ts';
import {
  brokenConfigurations,
  brokenPath,
  modelPath,
  MODELS,
  modelsDirectory,
  passingConfigurations,
  passingPath,
} from './configurations.ts';
import { reasonsToRefuse } from './source-guard.ts';

test('the table and the files name the same configurations', () => {
  const files = (folder: string): string[] =>
    listNames(folder)
      .filter((name) => name.endsWith('.cfg'))
      .sort();
  const names = (list: readonly { name: string }[]): string[] => list.map(({ name }) => `${name}.cfg`).sort();
  expect(files(modelsDirectory)).toEqual(names(passingConfigurations));
  expect(files(`${modelsDirectory}broken`)).toEqual(names(brokenConfigurations));
});

test('nothing is omitted where all must hold', () => {
  for (const { name } of passingConfigurations) {
    expect(parseConfigurationFile(readText(passingPath(name))).constants.get('Omitted'), name).toBe('{}');
  }
});

test.each(brokenConfigurations)('$name omits one thing, and says what it must violate', (one) => {
  const parsed = parseConfigurationFile(readText(brokenPath(one.name)));
  expect(parsed.heading[0]).toContain(`Must violate ${one.violates}`);
  expect([...parsed.invariants, ...parsed.properties]).toContain(one.violates);
  const omitted = (parsed.constants.get('Omitted') ?? '').match(/"\w+"/g) ?? [];
  // A property of liveness breaks by fairness left out, which is the specification's name, not a constant.
  if (one.name.includes('.Unfair')) expect([omitted.length, parsed.specification]).toEqual([0, 'Spec']);
  else expect(omitted).toHaveLength(1);
  const source = readText(modelPath(one.model));
  for (const name of omitted) expect(source).toContain(`Omits(${name})`);
});

test.each(MODELS)('%s: every invariant and property is seen to fail by a broken configuration', (model) => {
  const stated = passingConfigurations
    .filter((one) => one.model === model)
    .map(({ name }) => parseConfigurationFile(readText(passingPath(name))))
    .flatMap(({ invariants, properties }) => [...invariants, ...properties]);
  const broken = brokenConfigurations.filter((one) => one.model === model).map(({ violates }) => violates);
  expect([...new Set(broken)].sort()).toEqual([...new Set(stated)].sort());
});

test.each(MODELS)('%s: every rule that can be omitted has a broken configuration', (model) => {
  const source = readText(modelPath(model));
  const used = new Set([...source.matchAll(/Omits\("(\w+)"\)/g)].map((match) => match[1]));
  const tried = new Set(
    brokenConfigurations
      .filter((one) => one.model === model)
      .flatMap(
        ({ name }) =>
          parseConfigurationFile(readText(brokenPath(name)))
            .constants.get('Omitted')
            ?.match(/\w+/g) ?? [],
      ),
  );
  expect([...tried].sort()).toEqual([...used].sort());
});

test('tla-checker may be asked about every configuration of safety', () => {
  for (const one of passingConfigurations.filter(({ liveness }) => !liveness)) {
    const configuration = parseConfigurationFile(readText(passingPath(one.name)));
    expect(reasonsToRefuse(readText(modelPath(one.model)), configuration), basename(one.name)).toEqual([]);
  }
});
