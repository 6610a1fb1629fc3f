/** Sizes in bytes, each with its weight. */
export type SizeMix = readonly (readonly [size: number, weight: number])[];

/** One mapping of a request. */
export interface Part {
  sizes: SizeMix;
  /** Of a hundred, how many the device writes (from_device); the others it reads. */
  fromPercent: number;
  /** The buffer begins at a multiple of `step` bytes, below `within`, in its page. */
  step: number;
  within: number;
}

/** What a device keeps doing. */
export interface Stream {
  /**
   * `requests`: all parts are mapped, and unmapped when the device is done. `ring`: `depth` buffers are
   * mapped ahead for what comes in; one that was filled is unmapped and a new one mapped, and one
   * filled with a few bytes is synced, copied from, and used again.
   */
  kind: 'requests' | 'ring';
  parts: readonly Part[];
  /** Of a ring: what comes in. */
  packets?: SizeMix;
  /** Requests or packets a second. */
  rate: number;
  /** Requests in flight at most, or buffers of the ring. */
  depth: number;
  /** Requests that come at once, at most. */
  burst: number;
  /** Nanoseconds that the device needs, at least, and by how much that varies. */
  latency: readonly [least: number, spread: number];
}

/** A kind of device. */
export interface DeviceKind {
  /** Name of the n-th. */
  name: (n: number) => string;
  minAlignMask: number;
  streams: readonly Stream[];
}

const US = 1000;

const pci =
  (bus: number) =>
  (n: number): string =>
    `0000:${(bus + n).toString(16).padStart(2, '0')}:00.0`;

/** Packets up to here are copied out of their buffer (the copybreak of most drivers). */
export const COPYBREAK = 256;

/**
 * A disk whose driver has min_align_mask: pages of the page cache and of direct I/O, some of that at
 * offsets of a sector; reads outnumber writes.
 */
const NVME: DeviceKind = {
  name: pci(1),
  minAlignMask: 0xfff,
  streams: [
    {
      kind: 'requests',
      parts: [
        {
          sizes: [
            [4096, 55],
            [8192, 10],
            [16384, 13],
            [32768, 9],
            [65536, 7],
            [131072, 6],
          ],
          fromPercent: 70,
          step: 4096,
          within: 4096,
        },
      ],
      rate: 50_000,
      depth: 64,
      burst: 16,
      latency: [60 * US, 300 * US],
    },
    {
      kind: 'requests',
      parts: [
        {
          sizes: [
            [512, 60],
            [1024, 15],
            [2048, 15],
            [4096, 10],
          ],
          fromPercent: 60,
          step: 512,
          within: 4096,
        },
      ],
      rate: 4_000,
      depth: 8,
      burst: 2,
      latency: [60 * US, 300 * US],
    },
  ],
};

/** A network card: a receive ring of half pages; acknowledgements, frames and large sends. */
const NET: DeviceKind = {
  name: pci(0x20),
  minAlignMask: 0,
  streams: [
    {
      kind: 'ring',
      parts: [{ sizes: [[2048, 1]], fromPercent: 100, step: 2048, within: 4096 }],
      packets: [
        [66, 30],
        [128, 5],
        [590, 5],
        [1514, 60],
      ],
      rate: 80_000,
      depth: 256,
      burst: 32,
      latency: [0, 0],
    },
    {
      kind: 'requests',
      parts: [
        {
          sizes: [
            [66, 45],
            [590, 8],
            [1514, 32],
            [16384, 10],
            [32768, 5],
          ],
          fromPercent: 0,
          step: 2,
          within: 2048,
        },
      ],
      rate: 60_000,
      depth: 128,
      burst: 8,
      latency: [20 * US, 150 * US],
    },
  ],
};

/**
 * A storage stick: a command block, the data and a status, one after the other and so one mapping at a
 * time; and the short transfers of keyboards and of a hub.
 */
const USB: DeviceKind = {
  name: (n) => `0000:00:14.${n}`,
  minAlignMask: 0,
  streams: [
    {
      kind: 'requests',
      parts: [
        {
          sizes: [
            [31, 33],
            [13, 33],
            [512, 6],
            [4096, 12],
            [16384, 6],
            [65536, 5],
            [122880, 5],
          ],
          fromPercent: 55,
          step: 64,
          within: 4096,
        },
      ],
      rate: 3_000,
      depth: 4,
      burst: 3,
      latency: [125 * US, 900 * US],
    },
    {
      kind: 'requests',
      parts: [
        {
          sizes: [
            [8, 80],
            [64, 20],
          ],
          fromPercent: 90,
          step: 8,
          within: 4096,
        },
      ],
      rate: 500,
      depth: 8,
      burst: 1,
      latency: [1000 * US, 7000 * US],
    },
  ],
};

/** A virtio disk: a request is a header, its data and a status byte, three mappings. */
const VIRTIO: DeviceKind = {
  name: (n) => `virtio${n}`,
  minAlignMask: 0,
  streams: [
    {
      kind: 'requests',
      parts: [
        { sizes: [[16, 1]], fromPercent: 0, step: 64, within: 4096 },
        {
          sizes: [
            [4096, 60],
            [8192, 10],
            [16384, 12],
            [32768, 8],
            [65536, 10],
          ],
          fromPercent: 65,
          step: 512,
          within: 1024,
        },
        { sizes: [[1, 1]], fromPercent: 100, step: 16, within: 4096 },
      ],
      rate: 20_000,
      depth: 128,
      burst: 8,
      latency: [80 * US, 500 * US],
    },
  ],
};

/** The workloads that can be generated, each the kinds of device in it. */
export const SHAPES: Readonly<Record<string, readonly DeviceKind[]>> = {
  nvme: [NVME],
  net: [NET],
  usb: [USB],
  virtio: [VIRTIO],
  mixed: [NVME, NET, USB, VIRTIO],
};
