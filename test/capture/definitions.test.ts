import { describe, expect, test } from 'vitest';
import { captureFacts, versionNumber } from '../../src/capture/facts.js';
import { CAPTURE_TOOLS } from '../../src/capture/recipe.js';
import { runScript } from '../support/fakeKernel.js';
import {
  type Definition,
  definitionsOf,
  prototypesOf,
  readDefinition,
} from '../support/probeFixtures.js';

/** Kernels on which real runs were recorded, with what each accepts. */
const KERNELS = ['5.10', '6.1', '6.12', '7.2', '7.3'] as const;
const NAMED = ['6.12', '7.2', '7.3'] as const;

function factsOf(kernel: string) {
  const [major, minor] = kernel.split('.').map(Number);
  return captureFacts(`v${kernel}`, versionNumber(major, minor, 999));
}

/** What the script for ftrace defines on a kernel that does not take what matches `rejects`. */
async function defined(
  kernel: string,
  rejects: string | undefined,
  bpftool?: string,
  dmesg?: string,
): Promise<Map<string, Definition>> {
  const script = CAPTURE_TOOLS[0].script(factsOf(kernel));
  const run = await runScript(script, { release: `${kernel}.9`, rejects, bpftool, dmesg });
  expect(run.stderr).toContain('out.gz: ');
  const definitions = run.events.filter((line) => !line.startsWith('-:'));
  // Of sets that the kernel refused halfway, the events were taken away again.
  return new Map(definitions.map((line) => [readDefinition(line).event, readDefinition(line)]));
}

/** BTF as bpftool prints it, with the members where the recorded definitions read them. */
function btfLike(recorded: Map<string, Definition>): string {
  const map = recorded.get('map') as Definition;
  const offset = (field: string): number =>
    Number(/\(\+(\d+)\(\$arg1\)\)/.exec(map.fields.get(field) ?? '')?.[1]);
  return [
    "[7] STRUCT 'device_private' size=8 vlen=1",
    "\t'dma_parms' type_id=1 bits_offset=8",
    "[8] STRUCT 'device' size=720 vlen=4",
    "\t'kobj' type_id=9 bits_offset=0",
    `\t'dma_mask' type_id=9 bits_offset=${offset('dma_mask') * 8}`,
    `\t'dma_parms' type_id=9 bits_offset=${offset('seg_mask') * 8}`,
    "\t'dma_io_tlb_mem' type_id=9 bits_offset=5760",
    "[9] STRUCT 'device_dma_parameters' size=16 vlen=3",
    "\t'max_segment_size' type_id=1 bits_offset=0",
    "\t'min_align_mask' type_id=1 bits_offset=32",
    "\t'segment_boundary_mask' type_id=1 bits_offset=64",
    "[10] STRUCT 'io_tlb_mem' size=200 vlen=3",
    "\t'nslabs' type_id=1 bits_offset=192",
    '',
  ].join('\n');
}

/** Fields that are ours alone: the recorded runs had the pool from elsewhere. */
const OURS = new Set(['mem_start', 'mem_nslabs', 'pool_start', 'base', 'nslabs']);

function expectSame(ours: Definition, recorded: Definition): void {
  expect(`${ours.kind} ${ours.where}`).toBe(`${recorded.kind} ${recorded.where}`);
  for (const [field, fetch] of ours.fields) {
    if (recorded.fields.has(field))
      expect([field, fetch]).toEqual([field, recorded.fields.get(field)]);
    else expect(OURS).toContain(field);
  }
  for (const field of recorded.fields.keys()) {
    // The areas' state, and a kernel pointer, which the recorded runs had for tests of the model.
    if (!/^(idx|used)\d$|^pool$/.test(field)) expect([...ours.fields.keys()]).toContain(field);
  }
}

describe('the definitions of a script are those of the recorded runs', () => {
  test.each(NAMED)('%s, fprobes', async (kernel) => {
    const ours = await defined(kernel, undefined);
    const recorded = definitionsOf(`${kernel}-f.txt`);
    expect([...ours.keys()].sort()).toEqual([...recorded.keys(), 'pool_add'].sort());
    for (const [event, definition] of recorded)
      expectSame(ours.get(event) as Definition, definition);
  });

  test.each(NAMED)('%s, kprobes with BTF names where fprobes are refused', async (kernel) => {
    const ours = await defined(kernel, 'f:*');
    for (const [event, definition] of definitionsOf(`${kernel}-k.txt`)) {
      expectSame(ours.get(event) as Definition, definition);
    }
  });

  test.each(KERNELS)('%s, kprobes by number, with offsets from its own BTF', async (kernel) => {
    const recorded = definitionsOf(`${kernel}-1.txt`);
    const ours = await defined(kernel, "f:* | *'->'*", btfLike(recorded));
    const compared = [...ours].filter(([event]) => recorded.has(event));
    expect(compared.map(([event]) => event)).toEqual(
      kernel === '5.10'
        ? ['map', 'map_ret', 'unmap', 'sync']
        : ['map', 'map_ret', 'unmap', 'sync_cpu', 'sync_dev'],
    );
    for (const [event, definition] of compared) {
      expectSame(definition, recorded.get(event) as Definition);
    }
  });

  test.each(['5.10', '6.1'])('%s: base and slots of the pool', async (kernel) => {
    const ours = (await defined(kernel, undefined)).get('map') as Definition;
    const recorded = definitionsOf(`${kernel}-1x.txt`).get('map_ret') as Definition;
    for (const field of ['base', 'nslabs']) {
      expect(ours.fields.get(field)).toBe(recorded.fields.get(field));
    }
  });
});

describe('every function and argument of a definition is one of that kernel', () => {
  test.each(KERNELS)('%s', async (kernel) => {
    const prototypes = prototypesOf(kernel);
    const sets = [await defined(kernel, "f:* | *'->'*")];
    if (NAMED.some((named) => named === kernel)) sets.push(await defined(kernel, undefined));
    for (const set of sets) {
      for (const { event, where, fields } of set.values()) {
        if (event === 'pool_add') continue;
        const args = prototypes.get(where.replace('%return', ''));
        expect(args, where).toBeDefined();
        for (const [field, fetch] of fields) {
          if (/^(@|\+\d+\(@|\$retval)/.test(fetch)) continue;
          const number = /\$arg(\d)/.exec(fetch)?.[1];
          const name = /^(?:\+0\()?([a-z_]\w*)/.exec(fetch)?.[1];
          const arg = number ? args?.[Number(number) - 1] : args?.find((a) => a.name === name);
          expect(arg, `${where} ${field}=${fetch}`).toBeDefined();
          expect(arg?.name).toMatch(NAME_OF[field] ?? /^(hw)?dev$/);
        }
      }
    }
  });

  test('a script without offsets asks for the masks on the command line', async () => {
    const script = CAPTURE_TOOLS[0].script(factsOf('6.1'));
    const { stderr, events } = await runScript(script, { release: '6.1.0-9-amd64' });
    expect(stderr).toContain('--device');
    expect(events[0]).not.toContain('min_align');
  });

  test("a device's own pool is found by the kernel's BTF, too", async () => {
    const bpftool = btfLike(definitionsOf('6.1-1.txt'));
    const map = (await defined('6.1', undefined, bpftool)).get('map');
    expect(map?.fields.get('mem_start')).toBe('+0(+720($arg1)):x64');
    expect(map?.fields.get('mem_nslabs')).toBe('+24(+720($arg1)):u64');
  });

  test('without the symbol the pool is left to dmesg', async () => {
    const script = CAPTURE_TOOLS[0].script(factsOf('6.1'));
    const { events } = await runScript(script, { release: '6.1.9', kallsyms: ['other'] });
    expect(events[0]).toMatch(/^p:swl\/map .*attrs=\$arg7:x64$/);
  });
});

/** Which arguments a field may be read from. */
const NAME_OF: Record<string, RegExp> = {
  orig_addr: /^orig_addr$/,
  tlb_addr: /^tlb_addr$/,
  size: /^(mapping_size|size)$/,
  alloc_size: /^alloc_size$/,
  align_mask: /^alloc_align_mask$/,
  dir: /^dir$/,
  attrs: /^attrs$/,
  target: /^target$/,
  pool_start: /^pool$/,
};

describe('restricted pools', () => {
  const dmesg =
    '[    0.0] Linux version 6.12\n[    0.0] software IO TLB: Reserved memory: created restricted DMA pool at 0x0000000060000000, size 4 MiB\n';

  test('have their calls recorded where the log tells of one', async () => {
    const recorded = definitionsOf('6.12-arm64-dyn.txt');
    const ours = await defined('6.12', "f:* | *'->'*", undefined, dmesg);
    for (const event of ['alloc', 'alloc_ret', 'free', 'release']) {
      const [mine, theirs] = [ours.get(event), recorded.get(event)];
      expect(mine?.where).toBe(theirs?.where);
      expect(mine?.fields.get('size')).toBe(theirs?.fields.get('size'));
      expect(mine?.fields.get('page')).toBe(theirs?.fields.get('page'));
      expect(mine?.fields.get('tlb_addr')).toBe(theirs?.fields.get('tlb_addr'));
    }
  });

  test('cost nothing elsewhere, nor where the kernel has no swiotlb_alloc()', async () => {
    expect([...(await defined('6.12', undefined)).keys()]).not.toContain('alloc');
    expect([...(await defined('6.12', '*swiotlb_alloc*', undefined, dmesg)).keys()]).toEqual(
      expect.not.arrayContaining(['alloc', 'alloc_ret']),
    );
  });
});

describe('stable series', () => {
  const fieldsOf = (major: number, minor: number, patch: number): (string | undefined)[] =>
    captureFacts('v', versionNumber(major, minor, patch)).map.args.map(({ field }) => field);

  test('5.15.33 took alloc_align_mask', () => {
    expect(fieldsOf(5, 15, 32)).not.toContain('align_mask');
    expect(fieldsOf(5, 15, 33)).toContain('align_mask');
    expect(fieldsOf(5, 16, 0)).toContain('align_mask');
  });

  test.each([
    [5, 12, 'swiotlb_tbl_unmap_single', 6, 'swiotlb_tbl_sync_single'],
    [5, 13, 'swiotlb_tbl_unmap_single', 5, 'swiotlb_sync_single_for_cpu'],
    [6, 10, 'swiotlb_tbl_unmap_single', 5, 'swiotlb_sync_single_for_cpu'],
    [6, 11, '__swiotlb_tbl_unmap_single', 6, '__swiotlb_sync_single_for_cpu'],
  ])('v%i.%i releases with %s', (major, minor, unmap, count, sync) => {
    const { others } = captureFacts('v', versionNumber(major, minor));
    expect(others[0].symbol).toBe(unmap);
    expect(others[0].args).toHaveLength(count);
    expect(others[1].symbol).toBe(sync);
  });
});
