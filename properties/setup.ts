/**
 * One pinned seed for every property test, so that a test run is a function of the sources. Override with
 * `LIGHTNING_TEST_SEED=<integer>` to explore; stages of the gate draw fresh seeds of their own.
 */
import fc from 'fast-check';

const text = process.env['LIGHTNING_TEST_SEED'];
const seed = text === undefined ? 20_261_120 : Number(text);
fc.configureGlobal({ seed, endOnFailure: false });
