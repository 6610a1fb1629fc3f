import type { DmaIommuTrace, DmaRow, IovaRow, IovaTrace } from '../events/iommu.js';
import type { IommuRelease } from '../kernel/iommuRelease.js';
import { createDmaSession, type DmaSession } from './dmaIommu/session.js';
import { createIovaSession, type IovaSession } from './iova/session.js';

/** An IOMMU trace of either kind that is replayed in one release. */
export type IommuReplay = (
  | { kind: 'iova'; trace: IovaTrace; session: IovaSession }
  | { kind: 'dma-iommu'; trace: DmaIommuTrace; session: DmaSession }
) & {
  release: IommuRelease;
  /** Replays a row of the trace's kind. */
  run(row: IovaRow | DmaRow): void;
  /** To be called once, after the last row. */
  finish(): void;
};

/** A replay of an IOVA trace whose declarations are complete. */
export function createIovaReplay(trace: IovaTrace, release: IommuRelease): IommuReplay {
  const session = createIovaSession(trace, release);
  return {
    kind: 'iova',
    trace,
    session,
    release,
    run: (row) => session.run(row as IovaRow),
    finish() {},
  };
}

/** A replay of a dma-iommu trace whose declarations are complete. */
export function createDmaReplay(trace: DmaIommuTrace, release: IommuRelease): IommuReplay {
  const session = createDmaSession(trace, release);
  return {
    kind: 'dma-iommu',
    trace,
    session,
    release,
    run: (row) => session.run(row as DmaRow),
    finish: () => session.finish(),
  };
}
