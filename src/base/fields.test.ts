import { expect, test } from 'vitest';
import { toHex } from './bytes.ts';
import { FieldReader, type Fields, FieldWriter } from './fields.ts';

interface Point {
  readonly x: number;
  readonly isNew: boolean;
}

interface Shape {
  readonly kind: number;
  readonly weight: number;
  readonly name: Uint8Array;
  readonly points: readonly Point[];
  readonly serial: number;
}

function shapeFields(f: Fields, shape: Partial<Shape>): Shape {
  return {
    kind: f.uint8(shape.kind),
    weight: f.float64(shape.weight),
    name: f.bytes(shape.name ?? new Uint8Array(3)),
    points: f.list(shape.points, (point: Partial<Point>) => ({ x: f.uint32(point.x), isNew: f.flag(point.isNew) })),
    serial: f.uint48(shape.serial),
  };
}

const SHAPE: Shape = {
  kind: 7,
  weight: -Infinity,
  name: Uint8Array.of(1, 2, 3),
  points: [
    { x: 0xffff_ffff, isNew: true },
    { x: 5, isNew: false },
  ],
  serial: 2 ** 47 + 1,
};

function written(shape: Partial<Shape>): Uint8Array {
  const writer = new FieldWriter();
  shapeFields(writer, shape);
  return writer.bytesWritten.finish();
}

test('what one description writes, it reads', () => {
  const bytes = written(SHAPE);
  expect(toHex(bytes)).toBe('07000000000000f0ff01020302000000ffffffff010500000000010000000080');
  const reader = new FieldReader(bytes);
  expect(shapeFields(reader, {})).toEqual(SHAPE);
  expect(reader.isWhole).toBe(true);
});

test('bytes that are cut, followed by others or hold another flag are not whole; a long list is not believed', () => {
  const bytes = written(SHAPE);
  const isWhole = (changed: Uint8Array): boolean => {
    const reader = new FieldReader(changed);
    shapeFields(reader, {});
    return reader.isWhole;
  };
  for (let end = 0; end < bytes.length; end++) expect(isWhole(bytes.subarray(0, end))).toBe(false);
  expect(isWhole(Uint8Array.of(...bytes, 0))).toBe(false);
  expect(isWhole(bytes.with(20, 2))).toBe(false);
  expect(isWhole(bytes.with(15, 0xff))).toBe(false);
});

test('a writer is given every value', () => {
  for (const name of ['kind', 'weight', 'points', 'serial']) {
    expect(() => written({ ...SHAPE, [name]: undefined })).toThrow('a writer is given every value');
  }
});
