/**
 * The process in which a counterexample is replayed on an engine without a guard: the counterexample as JSON on standard
 * input, what came of it as JSON on standard output. Whoever starts it has the guard taken out while sources are loaded.
 */
import { text } from 'node:stream/consumers';
import { type Counterexample, replayCounterexample } from './replays.ts';

const counterexample = JSON.parse(await text(process.stdin)) as Counterexample;
process.stdout.write(JSON.stringify(await replayCounterexample(counterexample)));
