/** Makes a failing input smaller and plainer: shorter first, then more zeros, while it still fails in the same way. */

/** A shrunk input. */
export interface ShrunkBytes {
  readonly bytes: Uint8Array;
  /** Inputs that were tried. */
  readonly runs: number;
  /** Nothing left to try; `false`: time was up. */
  readonly minimal: boolean;
}

function without(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const rest = new Uint8Array(bytes.length - (end - start));
  rest.set(bytes.subarray(0, start));
  rest.set(bytes.subarray(end), start);
  return rest;
}

function zeroed(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return bytes.slice().fill(0, start, end);
}

/**
 * @param fails whether an input fails in the way that is to be kept
 * @param outOfTime asked before each try
 */
export function shrinkBytes(
  failing: Uint8Array,
  fails: (candidate: Uint8Array) => boolean,
  outOfTime: () => boolean,
): ShrunkBytes {
  let bytes = failing;
  let runs = 0;
  let changed = true;
  const attempt = (candidate: Uint8Array): boolean => {
    runs++;
    if (!fails(candidate)) return false;
    bytes = candidate;
    changed = true;
    return true;
  };
  while (changed) {
    changed = false;
    for (let size = Math.ceil(bytes.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      // From the end on, so that what stands in front keeps its place.
      for (let end = bytes.length; end > 0; end -= size) {
        if (outOfTime()) return { bytes, runs, minimal: false };
        const start = Math.max(0, end - size);
        if (attempt(without(bytes, start, Math.min(end, bytes.length)))) continue;
        const part = bytes.subarray(start, Math.min(end, bytes.length));
        if (part.some((byte) => byte !== 0)) attempt(zeroed(bytes, start, end));
      }
    }
  }
  return { bytes, runs, minimal: true };
}
