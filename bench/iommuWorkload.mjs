// The same buffers of the same devices, bounced with an IOMMU and without; see README.md.
import { createDmaDevice } from '../build/dma/device.js';
import { mapPage } from '../build/dma/mapping.js';
import { zero } from '../build/dma/memory.js';
import { createDmaSystem, startCall } from '../build/dma/system.js';
import { unmapPage } from '../build/dma/unmapping.js';
import { findIommuRelease } from '../build/kernel/iommuSelect.js';
import { findRelease } from '../build/kernel/select.js';
import {
  createAllocator,
  createDevice,
  emptyAnswer,
  emptyReleased,
} from '../build/swiotlb/allocator.js';
import { mapSingle, unmapSingle } from '../build/swiotlb/calls.js';
import { createPool } from '../build/swiotlb/pool.js';
import { SEARCHERS } from '../build/swiotlb/searchers.js';
import { randomNumbers } from './measure.mjs';
import { createWriter, hex, randomSize } from './workload.mjs';

const RELEASE = 'v7.2';
const GRANULE = 4096;
const POOL = { name: 'default', base: 0x7000_0000, nslabs: 32_768, areas: 4 };
const RAM = { base: 0x4000_0000, size: 0x4000_0000 };
const NO_MASK = 2 ** 64;

/** A disk that keeps the offset in a page, one that does not, a network card that needs its caches cleaned. */
const DEVICES = [
  { name: '0000:00:04.0', minAlignMask: 0xfff, coherent: true },
  { name: '0000:00:1f.2', minAlignMask: 0, coherent: true },
  { name: '0000:00:07.0', minAlignMask: 0, coherent: false },
];

/**
 * Maps and unmaps in any order; each pair is one map and its unmap.
 * @param load how many pairs, and about how many slots are in use
 * @param machine gives an address for a buffer, and takes it back
 */
function work({ pairs, slots, seed = 5 }, machine) {
  const random = randomNumbers(seed);
  const live = [];
  let mapped = 0;

  function map() {
    const device = random(DEVICES.length);
    const size = randomSize(random);
    // No buffer begins on a granule: an untrusted device gets a bounce buffer for each.
    const phys = RAM.base + random(POOL.base - RAM.base - 0x20000 - 4096) + 1;
    const buffer = {
      id: mapped++,
      device,
      size,
      phys: phys % GRANULE === 0 ? phys + 64 : phys,
      dir: 1 + random(2),
      cpu: random(4),
    };
    live.push({ ...buffer, address: machine.map(buffer) });
  }

  function unmap() {
    const which = random(live.length);
    const gone = live[which];
    const last = live.pop();
    if (which < live.length) live[which] = last;
    machine.unmap(gone);
  }

  while (mapped < pairs) {
    const isLow = machine.used() < slots;
    if (isLow && (live.length === 0 || random(16) > 0)) map();
    else unmap();
  }
  while (live.length > 0) unmap();
}

const seconds = (rows) => (rows / 1000).toFixed(3);

/** What passes through an IOMMU, with all that recorders of such traces write but the bytes that leak. */
export function writeDmaIommu(path, load) {
  const release = findIommuRelease(RELEASE);
  const pool = createPool(POOL, release.swiotlb.clampsTail);
  const allocator = createAllocator(pool, false, SEARCHERS.indexed);
  const system = createDmaSystem(release, GRANULE, allocator);
  zero(system.memory, POOL.base, POOL.nslabs * 2048);
  const noLimit = Number.POSITIVE_INFINITY;
  const domain = { granule: GRANULE, startPfn: 1, cpus: 4, lazy: false, pci: true };
  const limits = { forcedac: false, apertureEnd: noLimit, busDmaLimit: noLimit };
  const shape = { dmaMask: noLimit, segBoundaryMask: 0xffff_ffff, maxSegSize: 65_536 };
  const devices = DEVICES.map((device) =>
    createDmaDevice(
      release,
      { ...device, ...shape, untrusted: true, domain: { ...domain, ...limits } },
      allocator,
    ),
  );
  const out = createWriter(path, Number.POSITIVE_INFINITY);
  out.write(
    `#dma-iommu-trace 1\n#kernel version=${RELEASE} page_size=${GRANULE} cpus=4 hz=1000\n` +
      `#ram base=${hex(RAM.base)} size=${hex(RAM.size)}\n` +
      `#pool name=default base=${hex(POOL.base)} nslabs=${POOL.nslabs} areas=${POOL.areas}\n`,
  );
  for (const { name, minAlignMask, coherent } of DEVICES) {
    out.write(
      `#device name=${name} granule=${GRANULE} start_pfn=1 lazy=0 dma_mask=0xffffffffffffffff pci=1` +
        ` untrusted=1 coherent=${coherent ? 1 : 0} min_align_mask=${hex(minAlignMask)}` +
        ' seg_boundary_mask=0xffffffff max_seg_size=65536\n',
    );
  }
  out.write(
    'time,cpu,dev,op,id,phys,size,dir,attrs,dma,result,granules,slots,leaked,' +
      'to_bounce,from_bounce,arch,warn,crc\n',
  );
  let rows = 0;

  function write(op, { id, device, phys, size, dir, cpu }, { pfn, offset }, result) {
    const { copiesIn, bytesIn, copiesOut, bytesOut, cacheSyncs, warnings } = system.effects;
    const arch = cacheSyncs.map(
      (sync) => `${sync.for === 'device' ? 'D' : 'C'}${hex(sync.phys)}+${sync.length}`,
    );
    out.write(
      `${seconds(rows)},${cpu},${DEVICES[device].name},${op},${id},` +
        `${op === 'map_page' ? hex(phys) : ''},${size},${dir},0x0,${hex(pfn * GRANULE + offset)},` +
        `${result},${devices[device].table.mapped},${allocator.used},,${copiesIn}:${bytesIn},` +
        `${copiesOut}:${bytesOut},${arch.join(';')},${warnings},\n`,
    );
  }

  work(load, {
    map(buffer) {
      const { device, phys, size, dir, cpu } = buffer;
      startCall(system, ++rows, cpu, rows);
      const mapped = mapPage(system, devices[device], phys, size, dir, 0);
      if (typeof mapped === 'string') throw new Error(mapped);
      write('map_page', buffer, mapped.address, hex(mapped.phys));
      return { ...mapped.address };
    },
    unmap(buffer) {
      const { device, size, dir, cpu, address } = buffer;
      startCall(system, ++rows, cpu, rows);
      unmapPage(system, devices[device], address, size, dir, 0);
      write('unmap_page', buffer, address, '');
    },
    used: () => allocator.used,
  });
  out.close();
}

/** The same buffers without an IOMMU, as the canonical CSV. */
export function writeBounced(path, load) {
  const release = findRelease(RELEASE);
  const pool = createPool(POOL, release.clampsTail);
  const allocator = createAllocator(pool, false, SEARCHERS.indexed);
  const devices = DEVICES.map(({ name, minAlignMask }) =>
    createDevice(name, minAlignMask, 0xffff_ffff, NO_MASK, allocator),
  );
  const answer = emptyAnswer();
  const released = emptyReleased();
  const out = createWriter(path, Number.POSITIVE_INFINITY);
  out.write(
    `#swiotlb-trace 1\n#kernel version=${RELEASE} page_size=${GRANULE}\n` +
      `#pool name=default base=${hex(POOL.base)} nslabs=${POOL.nslabs} areas=${POOL.areas} index=0:0:0:0\n`,
  );
  for (const { name, minAlignMask } of DEVICES) {
    out.write(`#device name=${name} min_align_mask=${hex(minAlignMask)}\n`);
  }
  out.write('time,cpu,dev,op,orig_addr,size,alloc_align_mask,dir,attrs,tlb_addr\n');
  let rows = 0;
  const dirs = ['', 'to_device', 'from_device'];

  function write(op, { device, phys, size, dir, cpu }, address) {
    out.write(
      `${seconds(rows++)},${cpu},${DEVICES[device].name},${op},${op === 'map' ? hex(phys) : ''},` +
        `${size},,${dirs[dir]},,${hex(address)}\n`,
    );
  }

  work(load, {
    map(buffer) {
      const { device, phys, size, cpu } = buffer;
      const request = {
        origAddr: phys,
        mappingSize: size,
        allocSize: size,
        allocAlignMask: 0,
        minAlignMask: devices[device].minAlignMask,
        cpu,
        transientBase: Number.NaN,
        lookAt: Number.NaN,
      };
      mapSingle(release, GRANULE, devices[device], request, answer);
      if (answer.slot < 0) throw new Error('the pool is full');
      write('map', buffer, answer.address);
      return answer.address;
    },
    unmap(buffer) {
      unmapSingle(devices[buffer.device], buffer.address, undefined, released);
      write('unmap', buffer, buffer.address);
    },
    used: () => allocator.used,
  });
  out.close();
}
