/** Loads a third-party engine when its driver is used, so that nobody needs an engine that they do not judge. */
import { createRequire, findPackageJSON } from 'node:module';
import { LightningError } from '../base/errors.ts';

/**
 * Imports an engine's package.
 * @throws LightningError `LIGHTNING_MISSING_CAPABILITY` when the package, or its native part, cannot be loaded
 */
export async function loadEngine(packageName: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(packageName)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    throw new LightningError(
      'LIGHTNING_MISSING_CAPABILITY',
      `the package ${packageName} cannot be loaded here`,
      { package: packageName },
      error,
    );
  }
}

/** The version of an installed package; `undefined` when it is not installed or does not say. */
export function versionOfPackage(packageName: string): string | undefined {
  const path = packageFile(packageName);
  if (path === undefined) return undefined;
  const description: unknown = createRequire(import.meta.url)(path);
  if (typeof description !== 'object' || description === null || !('version' in description)) return undefined;
  return typeof description.version === 'string' ? description.version : undefined;
}

/** Found by folder, not by import: some packages do not export their package.json. */
function packageFile(packageName: string): string | undefined {
  try {
    return findPackageJSON(packageName, import.meta.url);
  } catch {
    // Not installed; a version that is not known is what the caller is told.
    return undefined;
  }
}
