import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDeviceNames, deviceNumber, deviceNumberOf } from '../../src/events/names.js';
import type { DeviceDeclaration } from '../../src/events/trace.js';

describe('device names', () => {
  test('equal names have one number, different names different ones', () => {
    const name = fc.stringMatching(/^[ab0:.]{1,4}$/);
    fc.assert(
      fc.property(fc.array(name, { maxLength: 300 }), (list) => {
        const devices: DeviceDeclaration[] = [];
        const names = createDeviceNames(devices);
        const numbers = list.map((text) => deviceNumberOf(names, text));
        expect(numbers.map((number) => devices[number].name)).toEqual(list);
        expect(devices.map((device) => device.name)).toEqual([...new Set(list)]);
      }),
    );
  });

  test('keep their numbers while the table grows', () => {
    const devices: DeviceDeclaration[] = [];
    const names = createDeviceNames(devices);
    const nameOf = (n: number): string => `0000:${n.toString(16).padStart(2, '0')}:07.0`;
    for (let n = 0; n < 5000; n++) expect(deviceNumberOf(names, nameOf(n))).toBe(n);
    for (let n = 0; n < 5000; n++) expect(deviceNumberOf(names, nameOf(n))).toBe(n);
    expect(devices).toHaveLength(5000);
  });

  test('that begin like each other are told apart', () => {
    const names = createDeviceNames([]);
    const list = ['0000:00:07.0', '0000:00:07', '0000', '0', '', '0000:00:07.00', 'x0000:00:07.0'];
    expect(list.map((name) => deviceNumberOf(names, name))).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(list.map((name) => deviceNumberOf(names, name))).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  test('are read between other bytes', () => {
    const devices: DeviceDeclaration[] = [];
    const names = createDeviceNames(devices);
    const line = Buffer.from('map,0000:00:07.0,0000:00:07.0');
    expect(deviceNumber(names, line, 4, 16)).toBe(0);
    expect(deviceNumber(names, line, 17, 29)).toBe(0);
    expect(devices).toEqual([{ name: '0000:00:07.0' }]);
  });

  test('are the bytes of a moment: the buffer may be used again', () => {
    const devices: DeviceDeclaration[] = [];
    const names = createDeviceNames(devices);
    const buffer = Buffer.from('first');
    expect(deviceNumber(names, buffer, 0, 5)).toBe(0);
    buffer.write('other');
    expect(deviceNumber(names, buffer, 0, 5)).toBe(1);
    expect(deviceNumberOf(names, 'first')).toBe(0);
  });

  test('that were declared are known, in any script', () => {
    const devices: DeviceDeclaration[] = [{ name: 'eth0' }, { name: 'gerät-ü' }];
    const names = createDeviceNames(devices);
    expect(deviceNumberOf(names, 'gerät-ü')).toBe(1);
    expect(deviceNumberOf(names, 'eth0')).toBe(0);
    expect(devices).toHaveLength(2);
  });
});
