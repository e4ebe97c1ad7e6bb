/**
 * Byte layout of `wal-<n>.log` (spec/formats/wal.md). No behaviour.
 *
 *   segment  header · record*
 *   header   magic 8 · format u16 · compatible u32 · incompatible u32 · database id 16 · file number u32
 *            · durable sequence u48 (everything up to it that this segment holds was durable when the manifest named it)
 *            · zero to 60 · crc u32 over the 60 bytes, bound to (database, file number, 0)
 *   record   crc u32 over all that follows, bound to (database, file number, offset) · payload length u32 · sequence u48
 *            · durable sequence u48 known when it was appended · operation count u32 · payload
 *   payload  operation*
 *   operation flags u8 · key length u16 · second length u32 · deadline f64 (only with its flag) · key · second
 *            (second: the value of a put; the end of a clear; empty for a delete)
 */
export const WAL_MAGIC = 'LDBWAL\r\n';
export const WAL_FORMAT = 1;
export const WAL_HEADER_BYTES = 64;
export const WAL_HEADER_CRC_AT = 60;

export const RECORD_HEADER_BYTES = 24;
export const RECORD_LENGTH_AT = 4;
export const RECORD_SEQUENCE_AT = 8;
export const RECORD_DURABLE_AT = 14;
export const RECORD_COUNT_AT = 20;

export const OPERATION_HEADER_BYTES = 7;
export const DEADLINE_BYTES = 8;
/** Bits of an operation's flags. Neither put nor clear: a delete. */
export const OPERATION_PUT = 1;
export const OPERATION_CLEAR = 2;
export const OPERATION_DEADLINE = 4;
/** With put: the second byte string says where the value lies (spec/formats/blob.md). */
export const OPERATION_REFERENCE = 16;
/** A clear up to the last key. */
export const OPERATION_UNBOUNDED = 8;
