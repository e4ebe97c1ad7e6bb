/** Result of a decoder: never an exception, never more memory than its input holds. */
export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };
