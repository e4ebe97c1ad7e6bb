#!/usr/bin/env node
// Plain JavaScript that any Node can read, so that an old one is told what is missing in one line.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(`lightning-db needs Node 24 or later; this is Node ${process.versions.node}.\n`);
  process.exit(2);
}
// In a checkout the sources run as they are; in the published package the stripped ones do (same lines and columns),
// because Node does not strip types below node_modules.
const source = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const packed = fileURLToPath(new URL('../dist/src/cli/main.js', import.meta.url));
const inPackage = /[\\/]node_modules[\\/]/.test(source) || !existsSync(source);
if (inPackage && !existsSync(packed)) {
  process.stderr.write('lightning-db: this package was made without its build (npm run build).\n');
  process.exit(2);
}
await import(inPackage ? '../dist/src/cli/main.js' : '../src/cli/main.ts');
