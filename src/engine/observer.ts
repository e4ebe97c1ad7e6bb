/** The one hook through which the engine says what it does. Metrics, fault coverage and live views listen to it. */

/** Named steps, in the words of spec/semantics.md. */
export type EngineStep =
  | 'create'
  | 'recover'
  | 'read'
  | 'append'
  | 'sync'
  | 'publish'
  | 'freeze'
  | 'flush'
  | 'merge-begin'
  | 'merge'
  | 'collect'
  | 'swap-manifest'
  | 'delete-file'
  | 'snapshot'
  | 'conflict'
  | 'poison'
  | 'close';

/** `value`: a sequence, a generation, a file number or a count, by the step. */
export type Observer = (step: EngineStep, value: number) => void;

/** For whoever does not listen. */
export const silentObserver: Observer = () => undefined;
