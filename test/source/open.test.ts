import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openSource } from '../../src/source/open.js';
import { inTempDir, type Reading, readSource, userErrorOf } from '../support/reading.js';

const HEADER =
  '#swiotlb-trace 1\n#pool name=default base=0x97ff0000 nslabs=7168\ndev,op,orig_addr,size\n';

/** A trace that fills several blocks, so that a reader must come back for more. */
function longTrace(rows: number): string {
  const row = (n: number): string => `0000:00:07.0,map,0x${(n * 4096).toString(16)},${n + 1}\n`;
  return HEADER + Array.from({ length: rows }, (_, n) => row(n)).join('');
}

/** Reads a file of the given content from start to end. */
function readFileWith(content: string | Uint8Array, fileName = 'a.csv'): Promise<Reading> {
  return inTempDir(async (directory) => {
    const path = join(directory, fileName);
    writeFileSync(path, content);
    const source = await openSource(path);
    try {
      return await readSource(source);
    } finally {
      source.close();
    }
  });
}

/** What is said of a file of the given content, its directory left out. */
function errorFor(content: string | Uint8Array, fileName = 'bad.file'): Promise<string> {
  return inTempDir(async (directory) => {
    const path = join(directory, fileName);
    writeFileSync(path, content);
    const message = await userErrorOf(async () => readSource(await openSource(path)));
    expect(message).toContain(path);
    return message.replaceAll(`${directory}/`, '');
  });
}

const FD_DIRECTORY = '/proc/self/fd';

describe('opening a trace', () => {
  test('a file is read whole, with its path, size and bytes told', async () => {
    const text = longTrace(50_000);
    await inTempDir(async (directory) => {
      const path = join(directory, 'long.csv');
      writeFileSync(path, text);
      const source = await openSource(path);
      const { events, tally } = await readSource(source);
      source.close();
      expect(source).toMatchObject({
        name: path,
        size: text.length,
        tally: { bytes: text.length },
      });
      expect(tally).toEqual({ format: 'csv', lines: 50_003, events: 50_000 });
      expect(events.map((event) => event.size)).toEqual(events.map((_, n) => n + 1));
    });
  });

  test('gzip is told by content, not by name', async () => {
    const text = longTrace(50_000);
    const { events, tally } = await readFileWith(gzipSync(text), 'trace.txt');
    expect(tally.lines).toBe(50_003);
    expect(events).toEqual((await readFileWith(text, 'trace.gz')).events);
  });

  test('gzip in several members is read to its end', async () => {
    const [head, tail] = [longTrace(3), '0000:00:07.0,map,0x1000,99\n'];
    const { events } = await readFileWith(Buffer.concat([gzipSync(head), gzipSync(tail)]));
    expect(events.map((event) => event.size)).toEqual([1, 2, 3, 99]);
  });

  test('a trace shorter than any magic number is read', async () => {
    expect((await readFileWith('dev,op,size\nd,alloc,1')).events).toHaveLength(1);
    expect((await readFileWith(gzipSync('dev,op,size\nd,alloc,1'))).events).toHaveLength(1);
  });

  test('a packed trace closed before its end takes nothing from the next one', async () => {
    const text = longTrace(50_000);
    await inTempDir(async (directory) => {
      const [first, second] = [join(directory, 'first.gz'), join(directory, 'second.csv')];
      writeFileSync(first, gzipSync(longTrace(200_000), { level: 0 }));
      writeFileSync(second, text);
      for (let blocks = 0; blocks < 8; blocks++) {
        const abandoned = await openSource(first);
        for (let n = 0; n < blocks; n++) await abandoned.blocks.next();
        abandoned.close();
        // The system gives the second file the number that the first had.
        const source = await openSource(second);
        await new Promise((resolve) => setTimeout(resolve, 20));
        const { tally } = await readSource(source);
        source.close();
        expect(tally.lines).toBe(50_003);
      }
    });
  });
});

describe('what cannot be read', () => {
  test('a missing file', async () => {
    const message = await userErrorOf(() => openSource('/nowhere/at/all.csv'));
    expect(message).toBe('/nowhere/at/all.csv: cannot be opened: no such file or directory');
  });

  test('a directory', async () => {
    await inTempDir(async (directory) => {
      const path = join(directory, 'traces');
      mkdirSync(path);
      const message = await userErrorOf(() => openSource(path));
      expect(message).toBe(`${path}: is a directory: name the trace files in it`);
    });
  });

  test('an empty file', async () => {
    expect(await errorFor('')).toBe('bad.file: is empty: there is nothing to replay');
  });

  test('an empty file in gzip', async () => {
    expect(await errorFor(gzipSync(''))).toBe('bad.file: is empty: there is nothing to replay');
  });

  test.each([
    ['zeros', Buffer.alloc(100), '100 of its first 100 bytes'],
    [
      'a table of numbers',
      Buffer.from([0x7f, 1, 2, 3, ...Buffer.from('text')]),
      '3 of its first 8',
    ],
    ['text in UTF-16 without a mark', Buffer.from('dev,op', 'utf16le'), '6 of its first 12 bytes'],
  ])('%s, plain and packed', async (_, bytes, said) => {
    for (const content of [bytes, gzipSync(bytes)]) {
      const message = await errorFor(content);
      expect(message).toContain(`bad.file: is binary data (${said}`);
      expect(message).toContain("tr -d '\\0' < FILE");
    }
  });

  test.each([
    ['packed twice, as gzip data', [...gzipSync('x')], 'unpack it once'],
    ['packed twice, as zstd data', [0x28, 0xb5, 0x2f, 0xfd], 'unpack it once'],
    ['packed twice, as xz data', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], 'unpack it once'],
  ])('%s', async (what, magic, advice) => {
    const message = await errorFor(gzipSync(Buffer.from(magic)));
    expect(message).toBe(`bad.file: is ${what}: ${advice}`);
  });

  const tar = Buffer.alloc(512, 'a');
  tar.write('ustar', 257);
  test.each<[string, number[], string]>([
    ['a trace-cmd recording', [0x17, 8, 0x44, ...Buffer.from('tracing')], 'trace-cmd report -i'],
    ['a perf recording', [...Buffer.from('PERFILE2')], 'give its text: perf script -i FILE'],
    ['a journal of systemd', [...Buffer.from('LPKSHHRH')], 'journalctl -k'],
    ['text in UTF-16', [...Buffer.from('\ufeffdev,op', 'utf16le')], 'iconv -f UTF-16 -t UTF-8'],
    ['text in UTF-16', [...Buffer.from('\ufeffdev,op', 'utf16le').swap16()], 'iconv -f UTF-16'],
    ['a tar archive', [...tar], 'tar -xOf FILE MEMBER'],
    ['a zip archive', [...Buffer.from('PK\x03\x04')], 'unzip -p FILE MEMBER'],
    ['a 7z archive', [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], '7z x -so FILE MEMBER'],
    ['bzip2 data', [...Buffer.from('BZh9')], 'bzip2 -dc FILE'],
    ['lz4 data', [4, 0x22, 0x4d, 0x18], 'lz4 -dc FILE'],
    ['an ELF file (a vmcore?)', [...Buffer.from('\x7fELF')], 'crash --minimal'],
    ['a dump of kdump', [...Buffer.from('KDUMP   ')], 'crash --minimal'],
    ['a dump of kdump', [...Buffer.from('makedumpfile')], 'crash --minimal'],
  ])('%s, plain and packed', async (what, magic, advice) => {
    const bytes = Buffer.concat([Buffer.from(magic), Buffer.from('\0\x01 some more')]);
    for (const content of [bytes, gzipSync(bytes)]) {
      const message = await errorFor(content);
      expect(message).toContain(`bad.file: is ${what}: `);
      expect(message).toContain(advice);
    }
  });

  test.skipIf(!existsSync(FD_DIRECTORY))('leaves no file open', async () => {
    const openFiles = (): number => readdirSync(FD_DIRECTORY).length;
    const before = openFiles();
    await errorFor('');
    await errorFor('\0');
    await errorFor(gzipSync('\0'));
    await userErrorOf(() => openSource('/'));
    expect(openFiles()).toBe(before);
  });
});
