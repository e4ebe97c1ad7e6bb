/** The miniature store in a process of its own, so that the self-check covers forked children too. */
import { type MiniatureOperation, MiniatureStore } from './store.ts';

process.on('message', (operations: MiniatureOperation[]) => {
  const store = new MiniatureStore();
  const answers = operations.map((operation) => store.apply(operation));
  process.send?.(answers);
});
process.on('disconnect', () => process.exit(0));
