/**
 * Real files that stop at a chosen system call: calls that change something or make it durable are counted as the
 * simulated disk counts its steps, and at the chosen one nothing more is done, by whoever calls.
 */
import { PowerCut } from '../src/faults/power-cut.ts';
import { ForwardingFile, ForwardingVfs } from '../src/vfs/forwarding-vfs.ts';
import type { OpenMode, Vfs, VfsFile, VfsLock } from '../src/vfs/vfs.ts';

/** Where the stop falls: before the call, or after half the bytes of a write (of another call: before it). */
export type StopMoment = 'before' | 'half';

/** Live negative controls: a store that keeps its writes in the process, or one whose fsyncs do nothing. */
export type CallFault = 'holds-writes' | 'never-syncs';

/** Stops at the `call`-th call, counted from 1. */
export class CallVfs extends ForwardingVfs {
  private readonly call: number;
  private readonly moment: StopMoment;
  private readonly onStop: () => void;
  private readonly fault: CallFault | undefined;
  private count = 0;
  private stopped: PowerCut | undefined;

  /** @param onStop called once, when the chosen call is met; it may end the process */
  constructor(inner: Vfs, call: number, moment: StopMoment, onStop: () => void, fault?: CallFault) {
    super(inner);
    this.call = call;
    this.moment = moment;
    this.onStop = onStop;
    this.fault = fault;
  }

  /** Calls so far. */
  get calls(): number {
    return this.count;
  }

  override open(path: string, mode: OpenMode): VfsFile {
    if (mode === 'create') this.begin();
    else this.requireRunning();
    return new CallFile(super.open(path, mode), this, this.fault);
  }

  override rename(from: string, to: string): void {
    this.begin();
    super.rename(from, to);
  }

  override unlink(path: string): void {
    this.begin();
    super.unlink(path);
  }

  override makeDirectory(path: string): void {
    this.begin();
    super.makeDirectory(path);
  }

  override syncDirectory(path: string): void {
    this.begin();
    if (this.fault !== 'never-syncs') super.syncDirectory(path);
  }

  override list(path: string): string[] {
    this.requireRunning();
    return super.list(path);
  }

  override lock(path: string): VfsLock {
    if (super.kind(path) === undefined) this.begin();
    this.requireRunning();
    return super.lock(path);
  }

  /** Every later call fails without an effect: an engine that cleans up behind itself cannot. */
  requireRunning(): void {
    if (this.stopped !== undefined) throw this.stopped;
  }

  /** Begins one call. @param half does the half of it, where the stop falls into its middle */
  begin(half: () => void = () => undefined): void {
    this.requireRunning();
    this.count++;
    if (this.count !== this.call) return;
    if (this.moment === 'half') half();
    this.stopped = new PowerCut(this.count, this.moment === 'half' ? 'middle' : 'before');
    this.onStop();
    throw this.stopped;
  }
}

class CallFile extends ForwardingFile {
  private readonly calls: CallVfs;
  private readonly fault: CallFault | undefined;
  private held: (() => void)[] = [];

  constructor(inner: VfsFile, calls: CallVfs, fault: CallFault | undefined) {
    super(inner);
    this.calls = calls;
    this.fault = fault;
  }

  override read(target: Uint8Array, offset: number, length: number, position: number): number {
    this.calls.requireRunning();
    this.release();
    return super.read(target, offset, length, position);
  }

  override write(source: Uint8Array, offset: number, length: number, position: number): void {
    this.calls.begin(() => super.write(source, offset, Math.floor(length / 2), position));
    if (this.fault !== 'holds-writes') {
      super.write(source, offset, length, position);
      return;
    }
    const bytes = source.slice(offset, offset + length);
    this.held.push(() => super.write(bytes, 0, bytes.length, position));
  }

  override truncate(sizeBytes: number): void {
    this.calls.begin();
    this.release();
    super.truncate(sizeBytes);
  }

  override sync(): void {
    this.calls.begin();
    this.release();
    if (this.fault !== 'never-syncs') super.sync();
  }

  override size(): number {
    this.calls.requireRunning();
    this.release();
    return super.size();
  }

  override close(): void {
    this.calls.requireRunning();
    this.release();
    super.close();
  }

  private release(): void {
    for (const write of this.held) write();
    this.held = [];
  }
}
