import { UserError } from '../events/errors.js';

/** A kind of file that holds no text, told by its bytes, and what to do with it. */
interface Kind {
  magic: string | readonly number[];
  /** Where the magic stands. */
  at?: number;
  what: string;
  advice: string;
}

const UTF_8 = 'iconv -f UTF-16 -t UTF-8 FILE | swiotlb-replay -';
const CRASH = 'give the log in it: crash --minimal VMLINUX FILE, then `log`';

const KINDS: readonly Kind[] = [
  {
    magic: [0x17, 0x08, 0x44, ...Buffer.from('tracing')],
    what: 'a trace-cmd recording',
    advice: 'give its text: trace-cmd report -i FILE | swiotlb-replay -',
  },
  {
    magic: 'PERFILE2',
    what: 'a perf recording',
    advice: 'give its text: perf script -i FILE | swiotlb-replay -',
  },
  {
    magic: 'LPKSHHRH',
    what: 'a journal of systemd',
    advice: 'give its text: journalctl -k -o short-monotonic --file FILE | swiotlb-replay -',
  },
  { magic: [0xff, 0xfe], what: 'text in UTF-16', advice: `convert it: ${UTF_8}` },
  { magic: [0xfe, 0xff], what: 'text in UTF-16', advice: `convert it: ${UTF_8}` },
  {
    magic: 'ustar',
    at: 257,
    what: 'a tar archive',
    advice: 'name a file in it: tar -xOf FILE MEMBER | swiotlb-replay -',
  },
  {
    magic: [0x50, 0x4b, 0x03, 0x04],
    what: 'a zip archive',
    advice: 'name a file in it: unzip -p FILE MEMBER | swiotlb-replay -',
  },
  {
    magic: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c],
    what: 'a 7z archive',
    advice: 'name a file in it: 7z x -so FILE MEMBER | swiotlb-replay -',
  },
  {
    magic: 'BZh',
    what: 'bzip2 data',
    advice: 'unpack it first: bzip2 -dc FILE | swiotlb-replay -',
  },
  {
    magic: [0x04, 0x22, 0x4d, 0x18],
    what: 'lz4 data',
    advice: 'unpack it first: lz4 -dc FILE | swiotlb-replay -',
  },
  { magic: [0x1f, 0x8b], what: 'packed twice, as gzip data', advice: 'unpack it once' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], what: 'packed twice, as zstd data', advice: 'unpack it once' },
  {
    magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
    what: 'packed twice, as xz data',
    advice: 'unpack it once',
  },
  { magic: '\x7fELF', what: 'an ELF file (a vmcore?)', advice: CRASH },
  { magic: 'KDUMP   ', what: 'a dump of kdump', advice: CRASH },
  { magic: 'makedumpfile', what: 'a dump of kdump', advice: CRASH },
];

/** Control characters that no text needs, of a hundred, from which on bytes are no text. */
const MAX_CONTROL_PERCENT = 10;

const ESCAPE = 0x1b;

/**
 * Refuses what is no text by the beginning of it. A log may hold some control characters: a serial
 * console's noise, colours, NULs of a page that was never written.
 * @throws UserError that says what it is, and how to make text of it
 */
export function refuseBinary(name: string, head: Buffer): void {
  for (const { magic, at, what, advice } of KINDS) {
    const bytes = typeof magic === 'string' ? Buffer.from(magic, 'latin1') : Buffer.from(magic);
    const from = at ?? 0;
    if (head.subarray(from, from + bytes.length).equals(bytes)) {
      throw new UserError(`${name}: is ${what}: ${advice}`);
    }
  }
  const control = head.reduce((count, byte) => count + Number(isControl(byte)), 0);
  if (control * 100 > head.length * MAX_CONTROL_PERCENT) {
    throw new UserError(
      `${name}: is binary data (${control} of its first ${head.length} bytes are control characters):` +
        " give the text of a trace or log; where it is one with holes: tr -d '\\0' < FILE | swiotlb-replay -",
    );
  }
}

/** Whether a byte is a control character that text does not hold: no blank, line end or escape. */
function isControl(byte: number): boolean {
  const isSpace = byte >= 0x09 && byte <= 0x0d;
  return byte < 0x20 && !isSpace && byte !== ESCAPE;
}
