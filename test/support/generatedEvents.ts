import fc from 'fast-check';
import type { ReadEvent } from './reading.js';

const ADDRESS = fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 52 - 1 }));
const SIZE = fc.oneof(fc.integer({ min: 1, max: 0x40000 }), fc.constant(2 ** 52 - 1));
const MASK = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const RESULT = fc.oneof(ADDRESS, fc.constantFrom('full' as const, 'hang' as const, undefined));
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | number> =>
  fc.oneof(value, fc.constant(Number.NaN));

/** Any name but one with a line end: a row is a line. */
const DEVICE = fc.oneof(
  fc.constantFrom('0000:00:07.0', '(NULL device *)', 'a,b', '"', '""', '#x', ' x ', '\ufeffx'),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).filter((name) => !/[\n]/.test(name)),
);

const COMMON = {
  line: fc.constant(0),
  cpu: fc.nat(2 ** 20 - 1),
  device: DEVICE,
  allocAlignMask: MASK,
  dir: fc.constantFrom('to_device', 'from_device', 'bidirectional'),
};

/** An event that a kernel could make, whatever its device is called. */
export const EVENT: fc.Arbitrary<ReadEvent> = fc.oneof(
  fc.record({
    ...COMMON,
    op: fc.constant('map'),
    origAddr: ADDRESS,
    size: SIZE,
    allocSize: optional(SIZE),
    result: RESULT,
  }),
  fc.record({
    ...COMMON,
    op: fc.constant('alloc'),
    origAddr: optional(ADDRESS),
    size: SIZE,
    allocSize: optional(SIZE),
    result: RESULT,
  }),
  fc.record({
    ...COMMON,
    op: fc.constantFrom('unmap', 'free', 'sync_for_cpu', 'sync_for_device'),
    origAddr: optional(ADDRESS),
    size: optional(SIZE),
    allocSize: optional(SIZE),
    result: ADDRESS,
  }),
);
