import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/events/errors.js';
import { openSource } from '../../src/source/open.js';
import { devDbgLine } from '../support/devDbgLines.js';
import {
  frameHead,
  HAS_XZ,
  skippableFrame,
  xzSync,
  zstdBomb,
  zstdFrame,
} from '../support/packing.js';
import { inTempDir, type Reading, readSource, userErrorOf } from '../support/reading.js';

const HEADER =
  '#swiotlb-trace 1\n#pool name=default base=0x97ff0000 nslabs=7168\ndev,op,orig_addr,size\n';

function trace(rows: number): string {
  const row = (n: number): string => `0000:00:07.0,map,0x${(n * 4096).toString(16)},${n + 1}\n`;
  return HEADER + Array.from({ length: rows }, (_, n) => row(n)).join('');
}

/** `trace(40)` as `zstd -19 --check` packs it, a checksum at its end. */
const ZSTD = Buffer.from(
  [
    'KLUv/QRo5QYA0g0oGWCvDpz8tNMfBgagKJpoS7Z7S3nLhwYI5wQAv8bMsmnsCVu+jq5h93s77lb+e3b2NPlELusjPZ',
    'x/8i6+4f/O7U7fn/8lP16Bv+/WPekjf+VTOqeUMUL4nnPdjZn/xhi3qDqNCVkwcDNmapK19VgYCWoR1KxrgRkvjQmp',
    'zfQErCiSYmzcqSIB1VRVuda4Tn2CBoIiAXhwkypRA9JQEHNNQk+oESDyVGufMeCFMTFAUPjvB+tiiQck5AOLIpEbgY',
    'ItCkf1ozY2utS9tdxTbsVfZ0pTbWcCFYBRBRKAXAk=',
  ].join(''),
  'base64',
);

function readPacked(content: Uint8Array): Promise<Reading> {
  return inTempDir(async (directory) => {
    const path = join(directory, 'trace');
    writeFileSync(path, content);
    const source = await openSource(path);
    try {
      return await readSource(source);
    } finally {
      source.close();
    }
  });
}

/** Sizes of the events, which count from 1, and the losses in words. */
async function sizesAndLosses(content: Uint8Array): Promise<[number[], string[]]> {
  const { events, info } = await readPacked(content);
  return [events.map(({ size }) => size), info.losses.map(({ message }) => message)];
}

/** 1, 2, 3 and so on. */
function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n + 1);
}

const PACKERS: [string, (text: string) => Buffer][] = [
  ['gzip', (text) => gzipSync(text)],
  ['zstd', zstdFrame],
];
if (HAS_XZ) PACKERS.push(['xz', xzSync]);

describe.each(PACKERS)('%s', (name, pack) => {
  const broken = (how: string, lines: number): string[] => [
    `the ${name} data ${how}: ${lines} lines were read, and some may be missing or wrong`,
  ];

  test('is read whole', async () => {
    expect(await sizesAndLosses(pack(trace(50_000)))).toEqual([upTo(50_000), []]);
  });

  test('in several pieces behind one another is read to its end', async () => {
    const tail = pack('0000:00:07.0,map,0x1000,4\n');
    expect(await sizesAndLosses(Buffer.concat([pack(trace(3)), tail]))).toEqual([upTo(4), []]);
  });

  test('that breaks off is read as far as it goes, without the line that was cut', async () => {
    const packed = pack(trace(50_000));
    const [sizes, losses] = await sizesAndLosses(packed.subarray(0, packed.length >> 1));
    expect(sizes.length).toBeGreaterThan(10_000);
    expect(sizes.length).toBeLessThan(40_000);
    expect(sizes).toEqual(upTo(sizes.length));
    expect(losses).toEqual(broken('breaks off', sizes.length + 3));
  });

  test('that breaks off in its first bytes cannot be unpacked', async () => {
    const message = await userErrorOf(() => readPacked(pack(trace(1000)).subarray(0, 8)));
    expect(message).toContain(
      `cannot be unpacked: the ${name} data breaks off: fetch or pack the file again`,
    );
  });

  test('that breaks off before the first event says so', async () => {
    const head = pack(HEADER);
    const message = await userErrorOf(() =>
      readPacked(Buffer.concat([head, pack(trace(9)).subarray(0, 8)])),
    );
    expect(message).toContain('holds no events');
    expect(message).toContain(`the ${name} data breaks off: fetch or pack the file again`);
  });

  test('with other bytes behind it loses none of its own', async () => {
    const [sizes, losses] = await sizesAndLosses(
      Buffer.concat([pack(trace(1000)), Buffer.from('and something else')]),
    );
    expect(sizes.length).toBeGreaterThan(990);
    expect(sizes).toEqual(upTo(sizes.length));
    expect(losses).toHaveLength(1);
  });
});

describe('gzip', () => {
  test('with a wrong checksum loses no line', async () => {
    const packed = gzipSync(trace(5000));
    packed[packed.length - 8] ^= 1;
    expect(await sizesAndLosses(packed)).toEqual([
      upTo(5000),
      [
        'the gzip data is damaged (incorrect data check): 5003 lines were read, and some may be missing or wrong',
      ],
    ]);
  });

  test('may be padded with zeros', async () => {
    expect(await sizesAndLosses(Buffer.concat([gzipSync(trace(9)), Buffer.alloc(1000)]))).toEqual([
      upTo(9),
      [],
    ]);
  });
});

describe('zstd', () => {
  test('as the zstd program packs it', async () => {
    expect(await sizesAndLosses(ZSTD)).toEqual([upTo(40), []]);
  });

  test('with a wrong checksum is read, and said to be damaged', async () => {
    const packed = Buffer.from(ZSTD);
    packed[packed.length - 1] ^= 1;
    const [sizes, losses] = await sizesAndLosses(packed);
    expect(sizes).toEqual(upTo(40));
    expect(losses).toEqual([expect.stringContaining('a block or checksum is wrong')]);
  });

  test('with a byte damaged anywhere gives the same, or does not pass for whole', async () => {
    for (let at = 4; at < ZSTD.length; at += 3) {
      const packed = Buffer.from(ZSTD);
      packed[at] ^= 0x10;
      const [sizes, losses] = await sizesAndLosses(packed).catch((error) => {
        expect(error).toBeInstanceOf(UserError);
        return [[], ['refused']];
      });
      if (losses.length === 0) expect(sizes, `byte ${at}`).toEqual(upTo(40));
    }
  });

  test('a damaged block in the middle ends it there', async () => {
    const packed = zstdFrame(trace(50_000));
    // The head of the third block: a type that is reserved.
    packed[6 + 2 * (3 + (1 << 17))] |= 6;
    const [sizes, losses] = await sizesAndLosses(packed);
    expect(sizes.length).toBeGreaterThan(5000);
    expect(sizes).toEqual(upTo(sizes.length));
    expect(losses).toEqual([expect.stringContaining('is damaged')]);
  });

  test('passes over frames of other things, and empty ones', async () => {
    const parts = [zstdFrame(trace(2)), skippableFrame('seek table'), zstdFrame('')];
    const packed = Buffer.concat([...parts, zstdFrame('d,map,0x1000,3\n')]);
    expect(await sizesAndLosses(packed)).toEqual([upTo(3), []]);
  });

  test.each([
    ['its dictionary', Buffer.concat([frameHead(1), Buffer.from([9])]), '-D DICTIONARY'],
    ['a window above 128 MiB', frameHead(0, 18 << 3), '--long=31'],
  ])('that needs %s is refused with advice', async (what, packed, advice) => {
    const message = await userErrorOf(() => readPacked(packed));
    expect(message).toContain(what);
    expect(message).toContain(advice);
  });

  test('a closed source can be closed again, and takes nothing from the next', async () => {
    await inTempDir(async (directory) => {
      const path = join(directory, 'a.zst');
      writeFileSync(path, Buffer.concat([zstdFrame(trace(1)), zstdBomb(0x20, 100)]));
      for (let n = 0; n < 3; n++) {
        const source = await openSource(path);
        await source.blocks.next();
        source.close();
        source.close();
      }
      expect(await sizesAndLosses(ZSTD)).toEqual([upTo(40), []]);
    });
  });
});

test('a mark of UTF-8 at the beginning is passed over in every format', async () => {
  for (const text of ['dev,op,size\nd,alloc,1\n', '{"dev":"d","op":"alloc","size":1}\n']) {
    const { events } = await readPacked(Buffer.from(`\ufeff${text}`));
    expect(events.map(({ device }) => device)).toEqual(['d']);
  }
});

describe('NUL bytes', () => {
  test('in a row of a trace that a program wrote are a loss', async () => {
    const { events, info } = await readPacked(
      Buffer.from('dev,op,size\nd,alloc,1\nd,al\0\0oc,2\nd,alloc,3\n'),
    );
    expect(events.map(({ size }) => size)).toEqual([1, 3]);
    expect(info.problems.count).toBe(1);
    expect(info.losses.map(({ message }) => message)).toEqual([
      '2 NUL bytes stand where text was lost',
    ]);
  });

  test('that are noise in a log are only told of; a hole in it is a loss', async () => {
    const line = devDbgLine();
    const few = await readPacked(Buffer.from(`${line}\n\0\0\0${line}\nboot\0\n${line}\n`));
    expect(few.events).toHaveLength(3);
    expect(few.info.losses).toEqual([]);
    expect(few.info.assumptions).toContainEqual({
      line: undefined,
      message: '4 NUL bytes were read as blanks',
    });
    const hole = await readPacked(
      Buffer.from(`${`${line}\n`.repeat(40)}${'\0'.repeat(4096)}${line}\n`),
    );
    expect(hole.events).toHaveLength(41);
    expect(hole.info.losses.map(({ message }) => message)).toEqual([
      '4096 NUL bytes stand where text was lost',
    ]);
  });
});
