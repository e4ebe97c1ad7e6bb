/** The engine on a simulated disk behind the contract, for what runs whole programs through drivers and cuts power. */
import { Prng } from '../src/base/prng.ts';
import type { EngineDriver } from '../src/contract/driver.ts';
import { lightningDriver } from '../src/drivers/lightning.ts';
import { RandomChooser } from '../src/faults/chooser.ts';
import { SimulatedDisk } from '../src/faults/simulated-disk.ts';

/** Each opening gets an empty disk, whatever the directory; `seed` decides what a power cut leaves. */
export function simulatedDriver(seed: number): EngineDriver {
  const cuts = new Prng(seed);
  const driver = lightningDriver(() => {
    let disk = new SimulatedDisk();
    return {
      vfs: disk,
      cutPower: () => (disk = new SimulatedDisk({ image: disk.crashImage(new RandomChooser(cuts.fork())) })),
    };
  });
  return { ...driver, capabilities: { ...driver.capabilities, crash: true } };
}
