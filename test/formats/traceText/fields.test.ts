import { describe, expect, test } from 'vitest';
import { viewOf } from '../../../src/formats/literals.js';
import {
  emptyFields,
  emptyLayout,
  Field,
  type Layout,
  scanFields,
} from '../../../src/formats/traceText/fields.js';

type Name = keyof typeof Field;

/** The fields of a text that have a value. */
function fieldsOf(text: string, layout: Layout = emptyLayout(), last = -1) {
  const bytes = Buffer.from(`${text}\n size=99 ret=0x99`, 'latin1');
  const fields = emptyFields();
  scanFields(bytes, viewOf(bytes), 0, text.length, layout, last, fields);
  const found: Partial<Record<Name | 'device' | 'direction', number | string>> = {};
  for (const [name, place] of Object.entries(Field)) {
    const value = fields.values[place];
    if (!Number.isNaN(value)) found[name as Name] = value;
  }
  const { devFrom, devTo, dirFrom, dirTo } = fields;
  if (devTo > devFrom) found.device = bytes.toString('latin1', devFrom, devTo);
  if (dirTo > dirFrom) found.direction = bytes.toString('latin1', dirFrom, dirTo);
  return found;
}

describe('the fields of a record', () => {
  test('are read by their names, and others passed over', () => {
    expect(
      fieldsOf(
        '(f+0x5/0x460) dev="0000:00:02.0" orig_addr=0x1151464d8 size=16 dir=2 attrs=0x20 total=7',
      ),
    ).toEqual({ device: '0000:00:02.0', orig_addr: 0x1151464d8, size: 16, dir: 2, attrs: 0x20 });
  });

  test('of stock events have hex without 0x where the kernel prints it so', () => {
    expect(
      fieldsOf('eth0 dir=TO_DEVICE dma_addr=10 size=10 phys_addr=11b390100 attrs=SKIP_CPU_SYNC'),
    ).toEqual({ direction: 'TO_DEVICE', dma_addr: 0x10, size: 10, phys_addr: 0x11b390100 });
  });

  test('have other names in the raw form', () => {
    expect(fieldsOf('device=eth0 addr=7f dir=1')).toEqual({
      device: 'eth0',
      dma_addr: 0x7f,
      dir: 1,
    });
    expect(fieldsOf('dev_name=eth0 dma_mask=ff force=1')).toEqual({
      device: 'eth0',
      dma_mask: 0xff,
      force: 1,
    });
  });

  test('of the option `fields` are followed by the same number in brackets', () => {
    expect(
      fieldsOf('dev_name=eth0 dma_mask=0xffffffff (4294967295) dev_addr=0x1b (27) size=0x10 (16)'),
    ).toEqual({ device: 'eth0', dma_mask: 0xffffffff, dev_addr: 0x1b, size: 16 });
  });

  test.each([
    ['ret=0xffffffffffffffff', Number.POSITIVE_INFINITY],
    ['ret=0xFFFFFFFFFFFFFFFF', Number.POSITIVE_INFINITY],
    ['dma_mask=0x7fffffffffffffff', Number.POSITIVE_INFINITY],
    ['dma_mask=ffffffffffffffff', Number.POSITIVE_INFINITY],
    ['seg_mask=0x1fffffffffffff', 2 ** 53 - 1],
    ['index=-1', -1],
    ['page=0xfffffdffc0400e00', 0xfdffc0400e00],
    ['ret=0x0', 0],
    ['ret=0x20000000000000', undefined],
    ['ret=0xff11ffffffffffff', undefined],
    ['ret=0x5fffffffffffffff', undefined],
    ['ret=0x1ffffffffffffffff', undefined],
    ['ret=0x', undefined],
    ['ret=', undefined],
    ['ret=-', undefined],
    ['ret="5"', undefined],
    ['ret=0x7f65g', undefined],
    ['ret=7f', undefined],
    ['size=9007199254740993', undefined],
    ['size=1e3', undefined],
    ['size=1,', undefined],
  ])('have values of up to 64 bits: %s', (text, value) => {
    const name = text.slice(0, text.indexOf('=')) as Name;
    expect(fieldsOf(text)[name]).toBe(value);
  });

  test.each([
    ['dev="a b=c" size=1', 'a b=c'],
    ['dev="a"b" size=1', 'a"b'],
    ['dev="\xff\x00\x1b[31m" size=1', '\xff\x00\x1b[31m'],
    ['dev=(fault) size=1', '(fault)'],
    ['dev=a=b size=1', 'a=b'],
  ])('may hold odd names of devices: %j', (text, device) => {
    expect(fieldsOf(text)).toEqual({ device, size: 1 });
  });

  test('a name without its closing quote reaches to the end of the line', () => {
    expect(fieldsOf('dev="eth0 size=1')).toEqual({ device: 'eth0 size=1' });
  });

  test('no name is no device', () => {
    expect(fieldsOf('dev="" size=1')).toEqual({ size: 1 });
  });
});

describe('a layout', () => {
  function readAll(...texts: string[]) {
    const layout = emptyLayout();
    return texts.map((text) => fieldsOf(text, layout));
  }

  test('leaves nothing of one record in the next', () => {
    expect(
      readAll('size=1 ret=0x2 idx0=3', 'ret=0x4', 'size=5', 'idx0=6', 'size=1 ret=0x2 idx0=3'),
    ).toEqual([
      { size: 1, ret: 2, idx0: 3 },
      { ret: 4 },
      { size: 5 },
      { idx0: 6 },
      { size: 1, ret: 2, idx0: 3 },
    ]);
  });

  test('may change in mid-trace: fewer, more, others, another order', () => {
    expect(
      readAll(
        'size=1 ret=0x2',
        'ret=0x3 size=4',
        'size=5 ret=0x6',
        'size=7 x=1 base=0x8 ret=0x9',
        'base=0xa size=11 ret=0xc',
        'size=13 ret=0xe',
        'ret=0xf size=16',
        'size=17 base=0x12',
      ),
    ).toEqual([
      { size: 1, ret: 2 },
      { ret: 3, size: 4 },
      { size: 5, ret: 6 },
      { size: 7, base: 8, ret: 9 },
      { base: 10, size: 11, ret: 12 },
      { size: 13, ret: 14 },
      { ret: 15, size: 16 },
      { size: 17, base: 18 },
    ]);
  });

  test('of a value that cannot be read keeps no older one', () => {
    expect(readAll('size=1 dir=1', 'size="2" dir=TO_DEVICE', 'size=x dir=2')).toEqual([
      { size: 1, dir: 1 },
      { direction: 'TO_DEVICE' },
      { dir: 2 },
    ]);
  });

  test('forgets the device that is not named again', () => {
    expect(readAll('dev="eth0" size=1', 'size=2')).toEqual([
      { device: 'eth0', size: 1 },
      { size: 2 },
    ]);
  });

  test('is not spoilt by a line with thousands of fields', () => {
    const hostile = Array.from({ length: 5000 }, (_, n) => `field${n}=${n}`).join(' ');
    const plain = 'size=1 ret=0x2 idx0=3';
    const layout = emptyLayout();
    fieldsOf(plain, layout);
    fieldsOf(`ret=0x7 ${hostile}`, layout);
    expect(fieldsOf(plain, layout)).toEqual({ size: 1, ret: 2, idx0: 3 });
    expect(fieldsOf('size=4', layout)).toEqual({ size: 4 });
    expect(layout.names.length).toBeLessThanOrEqual(64);
  });

  test('is read no further than the last field that is wanted', () => {
    const layout = emptyLayout();
    expect(fieldsOf('size=1 ret=0x2 idx0=3', layout, Field.ret)).toEqual({ size: 1, ret: 2 });
    expect(fieldsOf('size=4 idx0=5', layout, Field.ret)).toEqual({ size: 4, idx0: 5 });
  });
});
