import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import {
  definePolicy,
  loadPolicy,
  type Policy,
  readTrace,
  releases,
  replay,
  type TraceInput,
  UserError,
  verify,
} from '../../src/library/index.js';
import { PROJECT, swiotlbReplay } from '../support/cli.js';
import { SWIOTLB_TRACES } from '../support/stories.js';
import { shippedVectorsOf } from '../support/vectors.js';

const SEED = 'traces/double-allocation/trace.log';

const TEXT = `#swiotlb-trace 1
#kernel version=v6.9 page_size=4096
#pool name=default base=0x80000000 nslabs=1024 areas=2 index=0
dev,op,orig_addr,size,dir,tlb_addr
nvme0,map,0x1800,4096,to_device,0x80000000
nvme0,map,0x1800,4096,from_device,full
nvme0,unmap,,,,0x80000000
`;

/** What a call is refused with. */
async function refusal(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  throw new Error('it was not refused');
}

describe('a report', () => {
  test.each(SWIOTLB_TRACES)('of %s is what the command line prints', async (path) => {
    const report = await replay(path);
    const printed = JSON.parse(swiotlbReplay([path, '--json']).stdout);
    expect(report).toEqual(printed);
    expect(Object.keys(report)).toEqual(Object.keys(printed));
    const asRead = await readTrace(path);
    expect(await replay(asRead)).toEqual(report);
    expect(await replay(asRead)).toEqual(report);
  });

  test('is plain data that holds against the schema', async () => {
    const schema = JSON.parse(readFileSync(join(PROJECT, 'docs/schema/report-1.json'), 'utf8'));
    const validate = new Ajv({ allErrors: true }).compile(schema);
    const report = await replay(SEED, { kernel: 'v6.8', allocations: false });
    expect(report).not.toHaveProperty('allocations');
    expect(structuredClone(report)).toEqual(report);
    expect(JSON.parse(JSON.stringify(report))).toStrictEqual(report);
    validate(report);
    expect(validate.errors).toBeNull();
  });

  test('is of the machine that the options describe', async () => {
    const options = {
      pageSize: 65536,
      pools: [{ base: 0x90000000, nslabs: 64, areas: 2, index: [3] }],
      devices: [{ name: 'nvme*', minAlignMask: 0xfff }],
    };
    const told = ['--page-size=64K', '--pool=base=0x90000000,nslabs=64,areas=2,index=3'];
    const { stdout } = swiotlbReplay(
      ['-', '--json', ...told, '--device=nvme*:min_align_mask=0xfff'],
      {
        input: TEXT,
      },
    );
    const printed = JSON.parse(stdout);
    const report = await replay(Buffer.from(TEXT), { ...options, name: '-' });
    expect(report).toEqual(printed);
    expect(report).toMatchObject({ pageSize: 65536, pools: [{ base: '0x90000000', areas: 2 }] });
    const booted = await replay(Buffer.from(TEXT), { swiotlb: '300,2' });
    expect(booted.pools[0]).toMatchObject({ nslabs: 512, areas: 2 });
  });
});

describe('a trace', () => {
  test.each<[string, () => TraceInput]>([
    ['bytes', () => Buffer.from(TEXT)],
    ['bytes that are packed', () => gzipSync(TEXT)],
    [
      'a stream of texts',
      async function* () {
        yield TEXT.slice(0, 50);
        yield TEXT.slice(50);
      },
    ],
  ])('is read from %s', async (_, input) => {
    const trace = await readTrace(input(), { name: 'mine' });
    expect(trace).toMatchObject({ path: 'mine', format: 'csv', length: 3, kernel: 'v6.9' });
    expect(trace.pools).toMatchObject([{ name: 'default', nslabs: 1024, areas: 2 }]);
    expect([...trace.events()]).toEqual([
      {
        line: 5,
        op: 'map',
        device: 'nvme0',
        cpu: 0,
        origAddr: 0x1800,
        size: 4096,
        allocSize: null,
        allocAlignMask: 0,
        dir: 'to_device',
        tlbAddr: 0x80000000,
      },
      expect.objectContaining({ line: 6, dir: 'from_device', tlbAddr: 'full' }),
      expect.objectContaining({
        line: 7,
        op: 'unmap',
        origAddr: null,
        size: null,
        tlbAddr: 0x80000000,
      }),
    ]);
  });

  test('is read from a stream of a file as from the file', async () => {
    const [streamed, read] = await Promise.all([
      replay(createReadStream(join(PROJECT, SEED)), { name: SEED }),
      replay(SEED),
    ]);
    expect(streamed).toEqual(read);
  });

  test('of several batches is replayed from memory as from the file', async () => {
    const [{ path }] = shippedVectorsOf('swiotlb').filter(({ version }) => version === 'v6.8');
    const trace = await readTrace(path);
    const first = await replay(trace, { kernel: 'v6.8' });
    expect(await replay(path, { kernel: 'v6.8' })).toEqual(first);
    expect(first.summary.mismatches).toBe(0);
    // An election that is too hasty starts over.
    expect((await verify(trace, { kernel: 'v6.12' })).mismatches.length).toBeGreaterThan(0);
    expect((await replay(trace, { allocations: false })).kernel).toBe(
      (await replay(path, { allocations: false })).kernel,
    );
  });

  test('tells of pools that join', async () => {
    const text = `#swiotlb-trace 1
#kernel version=v6.12 dynamic=1
#pool name=default base=0x80000000 nslabs=1024
dev,op,orig_addr,size,flags
nvme0,grow,0xd0000000,256,areas=2
nvme0,map,0x1800,4096,
`;
    const [grow] = (await readTrace(Buffer.from(text))).events();
    expect(grow).toMatchObject({ op: 'grow', origAddr: 0xd0000000, size: 256, areas: 2 });
  });

  test('tells of what was inferred, and of lines that could not be used', async () => {
    const text = `${TEXT}nvme0,map,0x1800,no size,to_device,\n`;
    const trace = await readTrace(Buffer.from(text));
    expect(trace.problems).toMatchObject({ count: 1, first: [{ line: 8 }] });
    expect((await readTrace(SEED)).assumptions).toEqual([
      expect.objectContaining({ line: 1, message: expect.stringContaining('base 0x97ff0000') }),
    ]);
  });
});

describe('a verification', () => {
  test.each([SEED, 'traces/page-bits/trace.csv'])(
    'of %s is what the command line prints',
    async (path) => {
      for (const kernel of ['v6.8', 'v6.9']) {
        const printed = JSON.parse(
          swiotlbReplay(['verify', path, '--json', '--kernel', kernel]).stdout,
        );
        expect(await verify(path, { kernel })).toEqual(printed);
      }
    },
  );
});

test('the releases are what the command line prints', () => {
  const { kernels } = JSON.parse(swiotlbReplay(['kernels', '--json']).stdout);
  expect(releases()).toEqual(kernels);
  releases()[0].name = 'mine';
  expect(releases()[0].name).toBe('v5.10');
});

describe('a policy', () => {
  test('is replayed from a file and from an object alike', async () => {
    const loaded = await loadPolicy(join(PROJECT, 'docs/policies/first-fix.mjs'));
    const { file, ...members } = loaded;
    expect(file).toContain('first-fix.mjs');
    const [a, b, patched] = await Promise.all(
      [loaded, definePolicy(members), 'v6.8+will-v1'].map((kernel) => replay(SEED, { kernel })),
    );
    expect([a.kernel, b.kernelReason]).toEqual([
      'v6.8+first-fix',
      'an experimental policy on top of v6.8',
    ]);
    expect(a.allocations).toEqual(patched.allocations);
    expect(b.allocations).toEqual(patched.allocations);
  });

  test('is refused where it would be where the command line loads it', async () => {
    const bad = { name: 'a', base: 'v6.8' } as Policy;
    expect(await refusal(() => definePolicy(bad))).toContain('nothing that differs from its base');
    expect(await refusal(() => replay(SEED, { kernel: bad }))).toContain('nothing that differs');
    expect(await refusal(() => definePolicy(null as unknown as Policy))).toContain('is an object');
    expect(
      await refusal(() => replay(SEED, { kernel: './docs/policies/first-fix.mjs' })),
    ).toContain('is loaded with loadPolicy(), which runs it');
    const thrown = definePolicy({ ...bad, plan: () => ({ stride: -1 }) });
    expect(await refusal(() => replay(SEED, { kernel: thrown }))).toContain(
      'policy a: plan() gave stride -1',
    );
  });
});

describe('what makes no sense is refused', () => {
  test.each<[string, object]>([
    ['base is 1, which is not a multiple of 2048', { pools: [{ base: 1 }] }],
    ['nslabs is 0, which is not', { pools: [{ nslabs: 0 }] }],
    ['areas is 3, which is not a power of two', { pools: [{ areas: 3 }] }],
    ['index is -1, which is not a slot', { pools: [{ index: [-1] }] }],
    ['pageSize is 5000, which is not one of', { pageSize: 5000 }],
    ['minAlignMask is 1.5', { devices: [{ name: '*', minAlignMask: 1.5 }] }],
    ['segBoundaryMask is 5000', { devices: [{ name: '*', segBoundaryMask: 5000 }] }],
    ['the name of a device is undefined', { devices: [{}] }],
    ['is not a number below', { swiotlb: 'x' }],
    ['format is txt, which is not one of csv', { format: 'txt' }],
    ['unknown kernel v4.4', { kernel: 'v4.4' }],
    ['no/such: cannot be opened', { dmesg: 'no/such' }],
  ])('%s', async (words, options) => {
    expect(await refusal(() => replay(SEED, options))).toContain(words);
  });

  test('as an input', async () => {
    for (const input of [null, 5, {}, [], { ...(await readTrace(SEED)) }]) {
      expect(await refusal(() => replay(input as TraceInput))).toContain(
        'is read from a path, from bytes',
      );
    }
    expect(await refusal(() => replay('no/such'))).toContain('no/such: cannot be opened');
    expect(await refusal(() => readTrace(Buffer.from('')))).toContain('<bytes>: is empty');
    expect(await refusal(() => replay('traces/iommu-lost-sync/trace.csv'))).toContain(
      'IOMMU trace',
    );
    const trace = await readTrace(SEED);
    expect(await refusal(() => replay(trace, { dmesg: 'x' }))).toContain(
      'dmesg is an option of readTrace()',
    );
  });
});
