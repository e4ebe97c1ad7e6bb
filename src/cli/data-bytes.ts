/** Keys and values on a command line: UTF-8 text, or hexadecimal digits for any bytes; and as JSON fields. */
import { fromText, toHex } from '../base/bytes.ts';
import { LightningError } from '../base/errors.ts';

/**
 * The bytes that an argument stands for.
 * @throws LightningError `LIGHTNING_INVALID_ARGUMENT` for hexadecimal digits that are none
 */
export function parseBytes(text: string, hex: boolean, name: string): Uint8Array {
  if (!hex) return fromText(text);
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new LightningError('LIGHTNING_INVALID_ARGUMENT', `${name} is not an even number of hexadecimal digits`, {
      name,
    });
  }
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** The text of bytes that are UTF-8; `undefined` for others. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function hexEscape(code: number): string {
  return `\\x${code.toString(16).padStart(2, '0')}`;
}

/**
 * Bytes in one line. Text stays text but for a backslash and control characters; bytes that are no UTF-8 show as `\xff`,
 * so that no two byte strings look alike.
 */
export function showBytes(bytes: Uint8Array, hex: boolean): string {
  if (hex) return toHex(bytes);
  const text = textOf(bytes);
  if (text === undefined) {
    return Array.from(bytes, (byte) =>
      byte === 0x5c ? '\\\\' : byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : hexEscape(byte),
    ).join('');
  }
  return text.replaceAll(/[\\\p{Cc}\u2028\u2029]/gu, (character) => {
    if (character === '\\') return '\\\\';
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    if (character === '\r') return '\\r';
    const code = character.charCodeAt(0);
    return code < 0x80 ? hexEscape(code) : `\\u{${code.toString(16)}}`;
  });
}

/** A JSON field: `key` when the bytes are text, `keyHex` when they are not or hexadecimal digits are asked for. */
export function bytesField(name: string, bytes: Uint8Array, hex: boolean): Readonly<Record<string, string>> {
  const text = hex ? undefined : textOf(bytes);
  return text === undefined ? { [`${name}Hex`]: toHex(bytes) } : { [name]: text };
}
