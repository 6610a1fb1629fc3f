import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createDeviceNames, deviceNumber } from '../../src/events/names.js';
import { createRecentNames, recentDeviceNumber } from '../../src/events/recentNames.js';

/** Looks names up in a table and, one after the other, among recent names. */
function expectSameNumbers(list: readonly string[]): void {
  const table = createDeviceNames([]);
  const recent = createRecentNames(createDeviceNames([]));
  for (const text of list) {
    const bytes = Buffer.from(`, ${text},`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const [from, to] = [2, bytes.length - 1];
    const number = deviceNumber(table, bytes, from, to);
    expect(recentDeviceNumber(recent, bytes, view, from, to)).toBe(number);
  }
  expect(recent.names.devices).toEqual(table.devices);
}

describe('recent names', () => {
  test('have the numbers that the table gives them', () => {
    // Few letters, so that many names end in the same four bytes; lengths around 4 and 64.
    const name = fc
      .tuple(fc.stringMatching(/^[ab]{0,9}$/), fc.constantFrom(0, 0, 0, 52, 53, 54, 55))
      .map(([text, more]) => text + 'x'.repeat(more) + text.slice(0, 4));
    fc.assert(fc.property(fc.array(name, { maxLength: 300 }), expectSameNumbers));
  });

  test('that differ in their length alone are told apart', () => {
    const names = Array.from({ length: 80 }, (_, n) => 'a'.repeat(n + 1));
    expectSameNumbers([...names, ...names, ...names.reverse()]);
  });
});
