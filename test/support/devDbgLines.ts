/** What a debug line says; numbers as the kernel has them. */
export interface DevDbgFields {
  device: string;
  origAddr: number;
  allocSize: number;
  alignMask: number;
  slot: number;
  nslots: number;
  nslabs: number;
  tlbAddr: number;
}

/** The first line of the posted trace, an alloc of two pages. */
const POSTED: DevDbgFields = {
  device: '0000:00:07.0',
  origAddr: 0,
  allocSize: 0x2000,
  alignMask: 0x800,
  slot: 1645,
  nslots: 4,
  nslabs: 7168,
  tlbAddr: 0x98326800,
};

/** Where the pool of the posted trace begins. */
export const POSTED_BASE = 0x97ff0000;

/** A line as the kernel prints it: the posted one but for what differs; the slot gives the address. */
export function devDbgLine(differing: Partial<DevDbgFields> = {}): string {
  const { slot = POSTED.slot } = differing;
  const fields = { ...POSTED, tlbAddr: POSTED_BASE + slot * 2048, ...differing };
  const { device, nslots, nslabs } = fields;
  const hex = (value: number): string => value.toString(16);
  return (
    `virtio-pci ${device}: orig_addr 0x${hex(fields.origAddr)} alloc_size 0x${hex(fields.allocSize)},` +
    ` iotlb_align_mask 0x${hex(fields.alignMask)} stride 0x2:` +
    ` got slot ${slot}-${slot + nslots}/${nslabs} (0x${hex(fields.tlbAddr)})`
  );
}
