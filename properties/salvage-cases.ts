/** The cases of the part `salvage`: a few writes, one damage. Plain data. */
import { z } from 'zod';
import { type CasePart, withoutSome } from './case-part.ts';
import { runSalvageCase } from './salvage-run.ts';

const natural = z.number().int().nonnegative();
const key = natural.max(999);
const caseSchema = z.object({
  format: z.literal(1),
  steps: z.array(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('put'), key, size: natural.max(100_000), expires: z.boolean().optional() }),
      z.object({ kind: z.literal('delete'), key }),
      z.object({ kind: z.literal('flush') }),
      z.object({ kind: z.literal('compact') }),
    ]),
  ),
  /** Whether the store was closed before it was damaged. */
  closed: z.boolean(),
  /** File and position are taken modulo what there is. */
  damage: z.object({
    kind: z.enum(['none', 'flip', 'zero-sector', 'truncate', 'remove']),
    file: natural,
    position: natural,
    mask: z.number().int().min(1).max(255),
  }),
});

/** A case. */
export type SalvageCase = z.infer<typeof caseSchema>;
type Step = SalvageCase['steps'][number];

/** See the head of the file. */
export const SALVAGE: CasePart<SalvageCase> = {
  kind: 'salvage',
  claim: 'salvage saves what can be read, says what it lost, and changes nothing',
  draw(prng) {
    const keys = prng.pick([3, 12, 60]);
    const step = (): Step => {
      switch (prng.weighted([12, 3, 2, 1])) {
        case 0: {
          const size = prng.pick([4, 30, 100, 400]);
          const put = { kind: 'put', key: prng.below(keys), size } as const;
          return prng.chance(0.1) ? { ...put, expires: true } : put;
        }
        case 1:
          return { kind: 'delete', key: prng.below(keys) };
        case 2:
          return { kind: 'flush' };
        default:
          return { kind: 'compact' };
      }
    };
    const kind = prng.pick(['none', 'flip', 'flip', 'flip', 'zero-sector', 'truncate', 'remove'] as const);
    return {
      format: 1,
      steps: Array.from({ length: prng.pick([8, 20, 60]) }, step),
      closed: prng.chance(0.5),
      damage: { kind, file: prng.below(1000), position: prng.below(2 ** 24), mask: prng.between(1, 255) },
    };
  },
  parse: (json) => caseSchema.parse(json),
  run: async (testCase, count = () => undefined) => runSalvageCase(testCase, count),
  *smaller(testCase) {
    const { steps, damage } = testCase;
    for (const fewer of withoutSome(steps)) yield { ...testCase, steps: [...fewer] };
    // What is removed moves files and positions: try others as well.
    for (let file = 0; file < 4; file++)
      for (const fewer of withoutSome(steps)) yield { ...testCase, steps: [...fewer], damage: { ...damage, file } };
    if (damage.kind !== 'none') yield { ...testCase, damage: { ...damage, kind: 'none' } };
    if (damage.kind === 'flip') yield { ...testCase, damage: { ...damage, kind: 'remove' } };
  },
  tell: ({ steps, closed, damage }) => [
    ...steps.map((step, i) => {
      const { kind, ...rest } = step;
      return [`${i + 1}. ${kind}`, ...Object.entries(rest).map(([name, value]) => `${name} ${value}`)].join(' ');
    }),
    `${steps.length + 1}. the store is ${closed ? 'closed' : 'left open'}; damage ${JSON.stringify(damage)}; salvage`,
  ],
};
