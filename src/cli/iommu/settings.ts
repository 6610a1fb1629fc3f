import { UserError } from '../../events/errors.js';
import type { DmaIommuTrace, IommuKernelLine } from '../../events/iommu.js';
import type { IommuRelease } from '../../kernel/iommuRelease.js';
import type { IommuOverrides } from '../../replay/iommuOverrides.js';
import { complain } from '../eachTrace.js';
import type { ReplayOptions } from '../options.js';
import type { IommuInput } from './run.js';

/** @throws UserError for options that say nothing about an IOMMU trace */
export function refuseOptions(options: ReplayOptions, { path, format }: IommuInput): void {
  const refuse = (option: string, why: string): never => {
    throw new UserError(
      `${path}: ${option} says nothing about ${format === 'dma-iommu' ? 'a' : 'an'} ${format} trace, ${why}`,
    );
  };
  // A recording by probes does not name its kernel: the boot log beside it does.
  const isDmesgIdle = options.dmesg !== undefined && format !== 'iova-text';
  if (format !== 'dma-iommu') {
    const idle = options.swiotlb !== undefined ? '--swiotlb' : options.pool.length > 0 && '--pool';
    if (idle) refuse(idle, 'in which nothing is bounced');
    if (options.device.length > 0) refuse('--device', 'which has domains: --iommu changes them');
  }
  const wrong = options.swiotlb !== undefined ? '--swiotlb' : isDmesgIdle && '--dmesg';
  if (wrong) refuse(wrong, 'which declares its pool; --pool base=,nslabs=,areas= changes it');
  if (options.device.some(({ pool }) => pool !== undefined)) {
    refuse('--device with pool=', 'whose devices share one pool');
  }
}

/** What the user says about the machine of a trace. */
export function overridesOf(options: ReplayOptions): IommuOverrides {
  return {
    pageSize: options.pageSize,
    pools: options.pool,
    devices: options.device,
    iommu: Object.assign({}, ...options.iommu),
  };
}

/** Says which patterns of `--device` match nothing. */
export function tellUnmatched(
  path: string,
  { device: patterns }: ReplayOptions,
  { devices }: DmaIommuTrace,
): void {
  for (const { pattern, matches } of patterns) {
    if (pattern === undefined || devices.some(({ name }) => matches(name))) continue;
    const names = devices.slice(0, 8).map(({ name }) => name);
    complain(
      `${path}: --device ${pattern}: no device of the trace has such a name; its devices are ${names.join(', ')}` +
        (devices.length > names.length ? ` and ${devices.length - names.length} more` : ''),
    );
  }
}

/** What a replay takes for granted, besides what reading tells. */
export function notesOn(
  { assumesPageSize, pageSize }: IommuKernelLine,
  options: ReplayOptions,
): string[] {
  if (!assumesPageSize || options.pageSize !== undefined) return [];
  return [`pages of ${pageSize} bytes; --page-size says otherwise`];
}

/** What a release does not do for the devices of a trace. */
export function notesOnDevices(
  { devices }: DmaIommuTrace,
  { dma, name }: Pick<IommuRelease, 'dma' | 'name'>,
): string[] {
  const untrusted = devices.filter((device) => device.untrusted);
  if (dma.bounces || untrusted.length === 0) return [];
  const names = untrusted.slice(0, 4).map((device) => device.name);
  const more = untrusted.length > names.length ? ', ...' : '';
  return [
    `untrusted devices (${names.join(', ')}${more}) map in place: dma-iommu bounces from v5.11 on; what ${name}` +
      ' bounces, intel-iommu bounces by itself, which is not modelled',
  ];
}
