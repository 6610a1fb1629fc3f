import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createUnwrapper } from '../../src/formats/unwrap.js';

/*
 * Every log of a folder that is not part of the project: lines as people posted them. Set
 * SWIOTLB_LOGS to the folder to run this; CI does.
 */
const folder = process.env.SWIOTLB_LOGS;
if (folder === undefined)
  console.info('logs.test.ts: skipped, SWIOTLB_LOGS names no folder of logs');
const files = folder === undefined ? [] : readdirSync(folder).filter((name) => /\.log$/.test(name));

interface Record {
  text: string;
  line: number;
  lines: number;
  time: number | undefined;
}

function recordsOf(name: string): Record[] {
  const records: Record[] = [];
  const unwrapper = createUnwrapper((text, line, raw, time) => {
    records.push({ text, line, lines: raw.split('\n').length, time });
  });
  const lines = readFileSync(join(folder as string, name), 'utf8')
    .replace(/\n$/, '')
    .split('\n');
  for (const [n, line] of lines.entries()) unwrapper.take(line, n + 1);
  unwrapper.end();
  return records;
}

const NUMBER = '(?:0x)?[0-9a-f]{1,16}';

/** Where a record of a kind begins in a log that has it, and what a whole one looks like. */
const WHOLE: { [kind: string]: { begins: RegExp; whole: RegExp } } = {
  'buffer full': {
    begins: /swiotlb buffer is|: swiotlb$|^buffer is full/,
    whole:
      /^(?:[\w-]+ [\w.:-]+: )?swiotlb buffer is full \(sz: \d+ bytes\)(?:, total \d+ \(slots\), used \d+ \(slots\))?$/,
  },
  'debug print': {
    begins: /orig_addr 0x|got slot/,
    whole:
      /^[\w-]+ [\w.:-]+: orig_addr 0x\w+ alloc_size 0x\w+, iotlb_align_mask 0x\w+ stride 0x\w+: got slot \d+-\d+\/\d+ \(0x\w+\)$/,
  },
  suppressed: { begins: /callbacks/, whole: /^\w+: \d+ callbacks suppressed$/ },
  'out of space': {
    begins: /Out of SW-IOMMU/,
    whole: /^(?:[\w-]+ [\w.:-]+: )?DMA: Out of SW-IOMMU space for \d+ bytes(?: at device \S+)?$/,
  },
  mapped: {
    begins: /software IO TLB: mapped/,
    whole: /^software IO TLB: mapped \[mem 0x\w+-0x\w+\] \(\d+MB\)$/,
  },
  'area num': { begins: /area num/, whole: /^software IO TLB: area num \d+\.$/ },
  'restricted pool': {
    begins: /created restricted/,
    whole: /^software IO TLB: Reserved memory: created restricted DMA pool at 0x\w+, size \d+ MiB$/,
  },
  'Intel fault': {
    begins: /DMAR: \[DMA|fault reason/,
    whole: new RegExp(
      `^DMAR: \\[DMA [^\\]]+\\] Request device \\[[\\w:.]+\\] (?:PASID \\w+ )?fault addr ${NUMBER} \\[fault reason ${NUMBER}\\] [\\w ]+ (?:set|invalid)$`,
    ),
  },
  'AMD fault': {
    begins: /Event logged/,
    whole: /^(?:[\w-]+ [\w.:-]+: )?AMD-Vi: Event logged \[IO_PAGE_FAULT [^\]]+\]$/,
  },
  'iommu tracepoint': {
    begins: /map: IOMMU:|paddr=0x|unmapped_size=/,
    whole:
      /-\d+ +\[\d+\].* (?:map: IOMMU: iova=.* paddr=0x\w+|unmap: IOMMU: iova=.* unmapped_size=\d+)/,
  },
  'iommu fault': {
    begins: /io_page_fault|flags=0x0001$/,
    whole: /-\d+ +\[\d+\].* io_page_fault: IOMMU:\w+ [\w:.]+ iova=0x\w+ flags=0x\w+$/,
  },
  'dma tracepoint': {
    begins: /: dma_(?:alloc|free|map|unmap)\w*: |virt_addr=/,
    whole:
      /-\d+ +\[\d+\].* dma_\w+: [\w:.]+ dma_addr=\w+ size=\d+ virt_addr=\w+ (?:flags=\w+ )?attrs=$/,
  },
  bounced: {
    begins: /: swiotlb_bounced: /,
    whole: /-\d+ +\[\d+\].* swiotlb_bounced: dev_name: [\w:.]+ dma_(?:mask=|addr: )/,
  },
  'dma-debug, freed with another size': {
    begins: /frees DMA memory|unmap size/,
    whole:
      /^\w+ [\w:.]+: DMA-API: device driver frees DMA memory with different size \[device address=0x\w+\] \[map size=\d+ bytes\] \[unmap size=\d+ bytes\]$/,
  },
  'dma-debug, from stack': {
    begins: /maps memory from|^\[addr=/,
    whole: /^\w+ [\w:.]+: DMA-API: device driver maps memory from ?stack \[addr=\w+\]$/,
  },
};

/** Records that were wrapped: by the number of the file, the first line of each. */
const WRAPPED: { [number: string]: number[] } = {
  '02': [2, 4, 6],
  '03': [1, 3, 6, 9],
  '11': [1],
  '38': [3],
  '39': [1, 4],
  '43': [1],
  '44': [4],
  '57': [1],
  '62': [1, 3, 7, 9, 13],
  '74': [3, 8],
  '89': [1, 4, 6],
  '93': [1, 4],
};

describe.skipIf(files.length === 0).each(files)('%s', (name) => {
  const records = files.length === 0 ? [] : recordsOf(name);
  const texts = records.map(({ text }) => text);

  test('has the records that were wrapped in one piece, and no others', () => {
    const joined = records.filter(({ lines }) => lines > 1).map(({ line }) => line);
    expect(joined).toEqual(WRAPPED[name.slice(0, name.indexOf('-'))] ?? []);
  });

  test.each(Object.entries(WHOLE))('has each record whole: %s', (_kind, { begins, whole }) => {
    for (const text of texts) if (begins.test(text)) expect(text).toMatch(whole);
  });

  test('has no prefixes left', () => {
    for (const text of texts) {
      expect(text).not.toMatch(
        /^(?:[\s>`]|\| |=>|<\d|\[ *[\d.]+\]|\[ *[TC]\d+\]|\[\w{3} |\(XEN\))/,
      );
      expect(text).not.toMatch(/^\w{3} \d\d \d\d:|^\d{4}-\d\d-|\bkernel: |=$(?<!attrs=)|=3D|=20$/);
    }
  });

  test('has times that no prefix can lack', () => {
    const stamped = readFileSync(join(folder as string, name), 'utf8').match(/\[ *\d+\.\d+\]/g);
    expect(records.filter(({ time }) => time !== undefined).length).toBe(stamped?.length ?? 0);
  });
});

test.skipIf(files.length === 0)('the logs have records of every kind', () => {
  const texts = files.flatMap((name) => recordsOf(name)).map(({ text }) => text);
  for (const { whole } of Object.values(WHOLE)) {
    expect(texts.some((text) => whole.test(text))).toBe(true);
  }
});
