import { expect, test } from 'vitest';
import { partitionPoint } from './partition-point.ts';

test('the first index that is not before, for every size and every place', () => {
  for (let count = 0; count < 40; count++) {
    for (let place = 0; place <= count; place++) {
      let asked = 0;
      const found = partitionPoint(count, (index) => {
        asked++;
        expect(index >= 0 && index < count).toBe(true);
        return index < place;
      });
      expect(found).toBe(place);
      expect(asked).toBeLessThanOrEqual(Math.ceil(Math.log2(count + 1)));
    }
  }
});
