/**
 * The campaign of damages at rest: every damage of one small store, a few at a time between other work, then of further
 * ones while there is time. What cannot be found in principle is said here too.
 */
import type { Prng } from '../src/base/prng.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';
import type { StageFailure } from '../src/report/stage.ts';
import { damagedImage, judgeDamage, type StoreDamage } from './damage-judge.ts';
import { type DamageKind, type DamagePhase, damagePhases, damagesOf, PHASES_FOR_EVERY_BYTE } from './damage-plan.ts';
import { drawDamageProgram, type DamageStore, makeDamageStore, shapeOf } from './damage-store.ts';
import type { Objection } from './program-check.ts';
import { programFailure, type SavedCase, shrinkStory, tellStory } from './program-story.ts';
import type { RunWatch } from './program-run.ts';
import type { Program } from '../src/contract/operations.ts';

/** What no examination of one store's files can find, in the words of spec/durability.md. */
export const NOT_TO_BE_FOUND: readonly string[] = [
  'damage at rest: all files of a store replaced together by an earlier clean state of the same store (a whole older copy carries every mark of a sound one)',
  'damage at rest: damage made on purpose, checksums included (CRC-32 is no protection against an adversary)',
  'damage at rest: more than one damage at a time',
];

/** Damages of one kind that are tried on a candidate while shrinking. */
const SHRINK_DAMAGES_MAX = 250;

/** One wrong thing: a program that went wrong by itself, or a damage. */
export type CampaignFailure =
  | { readonly kind: 'program'; readonly program: Program; readonly objection: Objection }
  | {
      readonly kind: 'damage';
      readonly store: DamageStore;
      readonly damage: StoreDamage;
      readonly objection: Objection;
    };

/** Goes through the damages of one store after another. */
export class DamageCampaign {
  private readonly random: Prng;
  private readonly watch: RunWatch;
  private store: DamageStore | undefined;
  private phases: readonly DamagePhase[] = [];
  private phase = 0;
  /** Stores of which every byte was flipped, and every other damage done. */
  storesHit = 0;
  /** Of them, those whose bytes were flipped in every pattern. */
  storesDone = 0;
  private refusedCount = 0;

  constructor(random: Prng, watch: RunWatch) {
    this.random = random;
    this.watch = watch;
  }

  /** What the campaign has come to, for the event hash. */
  get fingerprint(): string {
    return `${this.store?.image.hash() ?? 'none'} ${this.phase} ${this.refusedCount}`;
  }

  /** Judges up to `count` damages. */
  next(count: number): CampaignFailure | undefined {
    for (let done = 0; done < count; done++) {
      const store = this.store ?? this.begin();
      if (store.objection !== undefined) {
        return { kind: 'program', program: store.program, objection: store.objection };
      }
      const damage = this.phases[this.phase].damages.next();
      if (damage.done === true) {
        this.endPhase();
        continue;
      }
      const objection = this.judge(store, damage.value);
      if (objection !== undefined) return { kind: 'damage', store, damage: damage.value, objection };
    }
    return undefined;
  }

  private endPhase(): void {
    this.phase++;
    if (this.phase === PHASES_FOR_EVERY_BYTE) {
      this.storesHit++;
      this.watch.count('stores damaged at every byte');
    }
    if (this.phase < this.phases.length) return;
    this.storesDone++;
    this.store = undefined;
  }

  private begin(): DamageStore {
    const store = makeDamageStore(drawDamageProgram(this.random.fork()));
    this.store = store;
    this.phases = damagePhases(store);
    this.phase = 0;
    if (store.objection === undefined) this.noteShape(store);
    return store;
  }

  private noteShape(store: DamageStore): void {
    const shape = shapeOf(new SimulatedDisk({ image: store.image }));
    if (shape.segments > 1) this.watch.reached('damaged store with several segments');
    if (shape.runs > 0) this.watch.reached('damaged store with runs');
    if (shape.treeBlocks > 4) this.watch.reached('damaged store with a tree of several nodes');
    if (shape.freeBlocks > 0) this.watch.reached('damaged store with free blocks');
  }

  private judge(store: DamageStore, damage: StoreDamage): Objection | undefined {
    const image = damagedImage(store, damage);
    if (image === undefined) return undefined;
    this.watch.count('damages');
    this.watch.count(`damage ${damage.kind}`);
    const { objection, refused } = judgeDamage(store, image);
    if (refused) this.refusedCount++;
    this.watch.count(refused ? 'damages that reading refused' : 'damages that reading did not meet');
    return objection;
  }
}

/** Shrinks a failure of the campaign and makes the report of it. */
export async function campaignFailure(failure: CampaignFailure): Promise<StageFailure> {
  if (failure.kind === 'program') return programFailure(failure.program, failure.objection);
  const { damage, objection, store } = failure;
  const shrunk = await shrinkStory(
    store.program,
    (candidate) => findDamage(candidate, damage.kind, objection.class) !== undefined,
  );
  const found = findDamage(shrunk.program, damage.kind, objection.class) ?? failure;
  return damageFailure(found.store, found.damage, found.objection, shrunk.how);
}

/** The first damage of a kind that fails with a class on the store that a program makes. */
function findDamage(
  program: Program,
  kind: DamageKind,
  failureClass: string,
): { readonly store: DamageStore; readonly damage: StoreDamage; readonly objection: Objection } | undefined {
  const store = makeDamageStore(program);
  if (store.objection !== undefined) return undefined;
  let tried = 0;
  for (const damage of damagesOf(store, kind)) {
    if (tried++ === SHRINK_DAMAGES_MAX) return undefined;
    const image = damagedImage(store, damage);
    const objection = image === undefined ? undefined : judgeDamage(store, image).objection;
    if (objection?.class === failureClass) return { store, damage, objection };
  }
  return undefined;
}

/** The report of one damage as it stands. */
export function damageFailure(
  store: DamageStore,
  damage: StoreDamage,
  objection: Objection,
  how: string,
): StageFailure {
  const saved: SavedCase = { kind: 'damage', program: store.program, damage };
  const lines = tellStory(store.program, [], `${objection.class}: ${objection.message}`);
  return {
    class: objection.class,
    message: `${describeDamage(damage)}: ${objection.message}`,
    case: saved,
    story: [...lines.slice(0, -1), 'close', describeDamage(damage), ...lines.slice(-1)],
    operations: store.program.operations.length + 1,
    shrink: how,
  };
}

/** A damage in words. */
export function describeDamage(damage: StoreDamage): string {
  switch (damage.kind) {
    case 'flip':
      return `flip the bits 0x${damage.mask.toString(16)} of byte ${damage.position} of ${damage.path}`;
    case 'truncate':
      return `cut ${damage.path} to ${damage.sizeBytes} bytes`;
    case 'zero-sector':
      return `fill the sector at ${damage.position} of ${damage.path} with zeros`;
    case 'swap':
      return `exchange ${damage.lengthBytes} bytes at ${damage.first} and at ${damage.second} of ${damage.path}`;
    case 'remove':
      return `remove ${damage.path}`;
    case 'older':
      return `put back version ${damage.version} of ${damage.path}`;
    case 'other-file':
      return `put ${damage.other} in the place of ${damage.path}`;
    case 'stale':
      return `put back ${damage.lengthBytes} bytes at ${damage.position} of ${damage.path} from its version ${damage.version}`;
  }
}
