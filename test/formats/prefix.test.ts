import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stripPrefix } from '../../src/formats/prefix.js';

const RECORD =
  'virtio_blk virtio3: swiotlb buffer is full (sz: 69632 bytes), total 8192 (slots), used 71 (slots)';

const COLOURS = new RegExp(`${'\u001b'}\\[[\\d;]{0,32}[A-Za-z]`, 'g');

/** What logs, mails and terminals put in front; the shapes are those of real logs. */
const PREFIXES: Record<string, [prefix: string, time?: number]> = {
  nothing: [''],
  blanks: ['    '],
  tabs: ['\t\t'],
  'dmesg time': ['[   17.250000] ', 17.25],
  'dmesg time, not padded': ['[ 0.315189] ', 0.315189],
  'dmesg time of months': ['[31536000.000001] ', 31_536_000.000001],
  'dmesg -d': ['[   17.250000 <    0.000123>] ', 17.25],
  'dmesg -e, a minute': ['[Mar 9 07:05] '],
  'dmesg -e, a difference': ['[  +0.000123] '],
  'dmesg -T': ['[Sun Mar  9 07:05:01 2025] '],
  'dmesg -T in German': ['[So Mär  9 07:05:01 2025] '],
  'dmesg -T in French': ['[dim. mars  9 07:05:01 2025] '],
  'dmesg -T in Russian': ['[Вс мар  9 07:05:01 2025] '],
  'dmesg -T in Chinese': ['[日 3月  9 07:05:01 2025] '],
  'dmesg -T in Japanese': ['[日  3月  9 07:05:01 2025] '],
  'dmesg -T, twelve hours': ['[Sun 09 Mar 2025 07:05:01 AM CET] '],
  'dmesg -x': ['kern  :warn  : [   17.250000] ', 17.25],
  'dmesg -r': ['<4>[   17.250000] ', 17.25],
  'dmesg in ISO time': ['2025-03-09T07:05:01,250000+00:00 '],
  'a level and a blank': ['<3> [17.250000] ', 17.25],
  'a caller id': ['[   17.250000][  T431] ', 17.25],
  'a caller id behind a blank': ['[   17.250000] [      T0] ', 17.25],
  'a caller id of a processor': ['[   17.250000][   C3] ', 17.25],
  syslog: ['Mar  9 07:05:01 lab-17 kernel: '],
  'syslog with a kernel time': ['Mar  9 07:05:01 lab-17 kernel: [   17.250000] ', 17.25],
  'syslog of before 2002': ['Mar  9 07:05:01 lab-17 kernel: <4>'],
  'syslog in ISO time': ['2025-03-09T07:05:01.250000+01:00 lab-17 kernel: '],
  'syslog of RFC 5424': ['<4>1 2025-03-09T07:05:01.250000+01:00 lab-17 kernel - - - '],
  'a syslog broadcast': ['kernel:[   17.250000] ', 17.25],
  'journal in French': ['mars 09 07:05:01 lab-17 kernel: '],
  'journal, no host': ['Mar 09 07:05:01 kernel: '],
  'journal -o short-full': ['Sun 2025-03-09 07:05:01 UTC lab-17 kernel: '],
  'journal -o short-iso': ['2025-03-09T07:05:01+0100 lab-17 kernel: '],
  'journal -o short-precise': ['Mar 09 07:05:01.250000 lab-17 kernel: '],
  'journal -o short-monotonic': ['[   17.250000] lab-17 kernel: ', 17.25],
  'journal -o short-unix': ['1741503901.250000 lab-17 kernel: '],
  'logcat -v threadtime': ['03-09 07:05:01.250     0     0 W kernel  : '],
  'logcat with a year and a user': ['2025-03-09 07:05:01.250  root     0     0 W kernel  : '],
  Xen: ['(XEN) '],
  'Xen with its time': ['(XEN) [   17.250000] ', 17.25],
  'Xen with a date': ['(XEN) [2025-03-09 07:05:01.250] '],
  'a guest on a Xen console': ['(d3) [   17.250000] ', 17.25],
  'picocom or minicom': ['[2025-03-09 07:05:01.250] '],
  'a terminal with a short clock': ['[07:05:01.250] '],
  'a clock in no brackets': ['07:05:01.250 '],
  'an arrow behind the clock': ['07:05:01.250 -> '],
  'a day of a CI': ['2025-03-09T07:05:01.2500000Z '],
  'ts of moreutils': ['Mar 09 07:05:01 '],
  'mail quotes': ['> > >  | '],
  'mail quotes without blanks': ['>>> '],
  'an arrow of a commit': [' => '],
  'a colon of a quote': [': '],
  'a list': ['  - '],
  'a starred list': ['* '],
  'back-ticks': ['`'],
  'colours of dmesg': ['\u001b[32m[   17.250000] \u001b[0m\u001b[33m', 17.25],
  'a call site of dynamic debug': ['[431] swiotlb:swiotlb_find_slots:1045: '],
  'a call site in an interrupt': ['<intr> swiotlb:swiotlb_find_slots: '],
  'a call site with a file': ['swiotlb:swiotlb_find_slots:kernel/dma/swiotlb.c:1045: '],
  'only a thread of dynamic debug': ['[431] '],
  everything: [
    '> > - `[2025-03-09 07:05:01.250] Mar  9 07:05:01 lab-17 kernel: <6>[   17.250000] [ T431] (XEN) ',
    17.25,
  ],
};

describe('what stands in front of a line', () => {
  it.each(Object.entries(PREFIXES))('takes off %s', (_name, [prefix, time]) => {
    expect(stripPrefix(prefix + RECORD)).toEqual({ text: RECORD, time });
  });

  it('takes off the rest of a time whose front was not copied', () => {
    expect(stripPrefix('17.250000] iommu: unmapped: iova 0x1000 size 0x1000')).toEqual({
      text: 'iommu: unmapped: iova 0x1000 size 0x1000',
      time: undefined,
    });
  });

  it('takes off what stands behind: back-ticks, blanks, a carriage return', () => {
    expect(stripPrefix(`\`${RECORD}\`\r`).text).toBe(RECORD);
    expect(stripPrefix(`${RECORD} \t\r`).text).toBe(RECORD);
  });

  it('leaves back-ticks that did not begin the line', () => {
    expect(stripPrefix('run `dmesg`').text).toBe('run `dmesg`');
  });

  it('keeps nothing of an empty quote', () => {
    expect(stripPrefix('> > ')).toEqual({ text: '', time: undefined });
  });
});

describe('what is no prefix', () => {
  it.each([
    ['a task', 'kworker/0:1H-48      [000] d...     3.954560: map: IOMMU: iova=0x1000'],
    [
      'a task in parentheses',
      '(udev-worker)-532     [010] .....     4.878076: unmap: IOMMU: iova=',
    ],
    ['an idle task', '<idle>-0       [007] d..4.   358.966010: swiotlb_bounced: dev_name: x'],
    ['an unknown task', '<...>-2254    [000] .....  7040.894352: dma_alloc: 0000:c2:00.0'],
    ['a login shell', '-bash-77      [001] .....  7040.894352: dma_alloc: 0000:c2:00.0'],
    ['a task of perf', 'swapper     0 [000]   537.037184: swiotlb:swiotlb_bounced: dev_name: x'],
    ['a header of ftrace', '# tracer: nop'],
    ['a device without a driver', '0000:00:07.0: swiotlb buffer is full (sz: 4096 bytes)'],
    ['a device named after its bus', 'soc:gpu: swiotlb buffer is full (sz: 4096 bytes)'],
    ['a device on a bus with a number', 'mdio_bus:01: attached a PHY driver'],
    ['a part of a bus address', '00:41:00.1 iova=0x1000'],
    ['a SCSI target', 'target0:0:0: enclosure logical id'],
    ['a bus address in brackets', '[04:00.0] fault addr 0x1000'],
    ['a hardware address in brackets', '[00:11:22:33:44:55] joined'],
    ['the tag of a driver', '[drm] *ERROR* GPU hang'],
    ['a disk', '[sda] Attached SCSI disk'],
    ['an address in brackets', '[<ffffffffb3530644>] ? dump_stack+0x5c/0x78'],
    ['a numbered note', '[1] https://example.org/'],
    ['a function of the kernel', 'swiotlb_tbl_map_single: 74 callbacks suppressed'],
    ['the kernel as a word', 'panic in kernel: oops'],
    ['another program', 'systemd[1]: Started Journal Service.'],
    ['a size', 'total 8192 (slots), used 71 (slots)'],
    ['a map of bpftrace', '@: 54'],
    ['a negative number', '-5 returned'],
  ])('leaves %s', (_name, text) => {
    expect(stripPrefix(text)).toEqual({ text, time: undefined });
    expect(stripPrefix(`> >   ${text}`).text).toBe(text);
  });

  it('leaves marks that stand behind a time', () => {
    expect(stripPrefix('[   17.250000] => - x').text).toBe('=> - x');
  });

  it('leaves another program of a log to be told from the kernel', () => {
    expect(stripPrefix('Mar  9 07:05:01 lab-17 CRON[8465]: (root) CMD (x)').text).toBe(
      'lab-17 CRON[8465]: (root) CMD (x)',
    );
  });
});

describe('any line', () => {
  const pieces = fc.constantFrom(
    ...Object.values(PREFIXES).map(([prefix]) => prefix),
    ...'[]<>()|`=-: ./_aT0\t'.split(''),
    '> '.repeat(500),
    '['.repeat(500),
    '9'.repeat(500),
    'a_'.repeat(500),
    ' '.repeat(500),
    'kernel:',
    '\u001b[',
  );
  const lines = fc.array(pieces, { maxLength: 40 }).map((all) => all.join(''));

  it('loses nothing but its front, its end and its colours', () => {
    fc.assert(
      fc.property(fc.oneof(lines, fc.string()), (line) => {
        const { text } = stripPrefix(line);
        expect(line.replaceAll(COLOURS, '')).toContain(text);
      }),
    );
  });

  it('has the same record in it behind any stack of prefixes', () => {
    const stamps = Object.values(PREFIXES)
      .map(([prefix]) => prefix)
      .filter((prefix) => /^(?:\[ {2,4}17|<|[(]XEN)/.test(prefix) && !prefix.startsWith('<intr'));
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...stamps), { maxLength: 6 }), (stack) => {
        expect(stripPrefix(`> > ${stack.join('')}${RECORD}`).text).toBe(RECORD);
      }),
    );
  });

  it.each([
    '> ',
    '[',
    '[1.1] ',
    '<6>',
    'a_:',
    '0 ',
    'a:a_a:',
    '`',
    '\u001b[',
    '\u001b[1m',
    '(XEN) ',
  ])('of 64 KiB of %j is read in steps that its length bounds', (piece) => {
    // A pattern that backtracks over the whole line would need minutes for this, and fail by the
    // limit that every test has.
    const line = piece.repeat(65_536 / piece.length);
    for (let n = 0; n < 20; n++) expect(stripPrefix(line).text.length).toBeLessThanOrEqual(65_536);
  });
});
