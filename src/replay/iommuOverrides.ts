import { stopsAtBoot } from '../dma/device.js';
import { UserError } from '../events/errors.js';
import type { DmaIommuTrace, IovaTrace } from '../events/iommu.js';
import type { IommuRelease } from '../kernel/iommuRelease.js';
import type { DeviceOverride, PoolOverride } from './geometry.js';

/** What the user says about IOMMU and domains; what is undefined comes from the trace. */
export interface IommuOverride {
  granule?: number;
  startPfn?: number;
  lazy?: boolean;
  pci?: boolean;
  forcedac?: boolean;
  /** Last byte; Infinity for none. */
  apertureEnd?: number;
  busDmaLimit?: number;
}

/** Everything that the user can say about an IOMMU trace's machine. */
export interface IommuOverrides {
  pageSize: number | undefined;
  pools: readonly PoolOverride[];
  devices: readonly DeviceOverride[];
  iommu: IommuOverride;
}

/** An IOVA trace with the user's word on top. */
export function overrideIova(trace: IovaTrace, { pageSize, iommu }: IommuOverrides): IovaTrace {
  const { kernel } = trace;
  return {
    ...trace,
    kernel: { ...kernel, pageSize: pageSize ?? kernel.pageSize },
    domains: trace.domains.map((domain) => ({ ...domain, ...iommu })),
  };
}

/**
 * A dma-iommu trace with the user's word on top.
 * @throws UserError where no pool is known
 */
export function overrideDma(
  trace: DmaIommuTrace,
  { pageSize, pools, devices, iommu }: IommuOverrides,
): DmaIommuTrace {
  const { kernel } = trace;
  return {
    ...trace,
    kernel: { ...kernel, pageSize: pageSize ?? kernel.pageSize },
    pools: [pools.reduce(overridePool, trace.pools[0] ?? unknownPool(pools))],
    devices: trace.devices.map((declared) => {
      const device = { ...declared, ...iommu };
      for (const { pattern: _pattern, matches, pool: _pool, ...values } of devices) {
        if (matches(declared.name)) Object.assign(device, values);
      }
      return device;
    }),
  };
}

type Pool = DmaIommuTrace['pools'][number];

function unknownPool(pools: readonly PoolOverride[]): Pool {
  const { base, nslabs } = Object.assign({}, ...pools) as PoolOverride;
  if (base === undefined || nslabs === undefined) {
    throw new UserError(
      'the trace does not say where the pool lies: give --pool base=ADDRESS,nslabs=SLOTS',
    );
  }
  return { name: 'default', base, nslabs, areas: 1 };
}

function overridePool(pool: Pool, { name = pool.name, base, nslabs, areas }: PoolOverride): Pool {
  if (name !== pool.name) {
    throw new UserError(`the trace's one pool is ${pool.name}; --pool name=${name} is not known`);
  }
  const changed = {
    ...pool,
    base: base ?? pool.base,
    nslabs: nslabs ?? pool.nslabs,
    areas: areas ?? pool.areas,
  };
  if (changed.areas > changed.nslabs) {
    throw new UserError(
      `pool ${name}: ${changed.areas} areas do not fit in ${changed.nslabs} slots`,
    );
  }
  return changed;
}

/** The first granule at which a release stops at boot; undefined where it runs. */
export function refusedGranule(
  { kernel }: IovaTrace | DmaIommuTrace,
  granules: readonly number[],
  release: IommuRelease,
): number | undefined {
  return granules.find((granule) => stopsAtBoot(release, kernel.pageSize, granule));
}
