import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/events/errors.js';
import { emptyPlan, emptyRequest } from '../../src/kernel/plan.js';
import type { Policy } from '../../src/pipeline/policy.js';
import { isPolicyPath, loadPolicy } from '../../src/pipeline/policyFile.js';
import { policyRelease } from '../../src/pipeline/policyRelease.js';
import { readPolicy } from '../../src/pipeline/policyShape.js';
import { planAlloc, planMap } from '../../src/swiotlb/calls.js';

const folder = mkdtempSync(join(tmpdir(), 'policies-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is said of a policy whose function gives this, for the request of line 57. */
function saidOf(members: Record<string, unknown>, isMap = true): string {
  const policy = { name: 'bad', base: 'v6.9', file: './bad.mjs', ...members } as unknown as Policy;
  const { release } = policyRelease(policy);
  const request = {
    ...emptyRequest(),
    origAddr: 0x1800,
    mappingSize: 512,
    allocSize: 512,
    line: 57,
  };
  try {
    (isMap ? planMap : planAlloc)(release, 4096, request, emptyPlan());
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  }
  return 'nothing';
}

describe('a result that no search could work with', () => {
  const plans: [string, () => unknown][] = [
    ['gave nothing, not an object', () => undefined],
    ['gave 7, not an object', () => 7],
    ['gave stride 0, not a whole number of slots from 1 to 67108864', () => ({ stride: 0 })],
    ['gave stride 1.5', () => ({ stride: 1.5 })],
    ['gave stride Infinity', () => ({ stride: Number.POSITIVE_INFINITY })],
    ['gave stride NaN', () => ({ stride: Number.NaN })],
    ['gave stride 134217728', () => ({ stride: 2 ** 27 })],
    ['gave stride as the bigint 2n, not as a number', () => ({ stride: 2n })],
    ['gave stride as null', () => ({ stride: null })],
    ['gave clearMask 4294967296, not a whole number of 32 bits', () => ({ clearMask: 2 ** 32 })],
    ['gave matchMask 0.5', () => ({ matchMask: 0.5 })],
    ['gave endsAtStart as 1, not as a boolean', () => ({ endsAtStart: 1 })],
    ['gave clearmask, which is none of stride, clearMask,', () => ({ clearmask: 1 })],
    [
      'gave a result that cannot be read: Error: no',
      () => ({
        get stride() {
          throw new Error('no');
        },
      }),
    ],
  ];

  test.each(plans)('plan() %s', (words, plan) => {
    const said = saidOf({ plan });
    expect(said).toContain(`./bad.mjs: plan() ${words}`);
    expect(said).toContain('for the request of line 57 (orig_addr 0x1800, 512 bytes,');
  });

  test('of a function that is async, whatever becomes of it', async () => {
    const plan = async () => {
      throw new Error('late');
    };
    expect(saidOf({ plan })).toContain('plan() gave a promise: a search does not wait');
  });

  const sizes: [unknown, string][] = [
    [{ totalSize: 0 }, 'gave totalSize 0, not a whole number of bytes from 1 up'],
    [{ totalSize: 2 ** 53 }, 'gave totalSize 9007199254740992'],
    [{ totalSize: -2048 }, 'gave totalSize -2048'],
    [{ offset: 512 }, 'gave offset 512, not a whole number of bytes below totalSize 512'],
    [{ offset: -1 }, 'gave offset -1'],
    [{ offset: 0.5 }, 'gave offset 0.5'],
  ];

  test.each(sizes)('of size: %o', (result, words) => {
    expect(saidOf({ size: () => result })).toContain(`./bad.mjs: size() ${words}`);
  });

  test.each([1.5, -(2 ** 31) - 1, '0', {}, undefined])('of coherentAlignMask: %o', (result) => {
    const said = saidOf({ coherentAlignMask: () => result }, false);
    expect(said).toContain('./bad.mjs: coherentAlignMask() gave a mask of');
    expect(said).toContain('line 57');
  });

  test('is told from one that has bit 31, as bit operators give it', () => {
    expect(saidOf({ plan: () => ({ clearMask: 0x80000000 | 0, matchMask: ~0x7ff }) })).toBe(
      'nothing',
    );
  });
});

describe('what a function throws', () => {
  const thrown: [string, unknown][] = [
    ['threw TypeError: a b', new TypeError('a\nb')],
    ['threw the text "a text"', 'a text'],
    ['threw undefined', undefined],
    ['threw an object', Object.create(null)],
    ['threw an object', Object.assign(new Error('x'), { name: Symbol('y') })],
  ];
  test('is told in a line', () => {
    for (const [words, error] of thrown) {
      const plan = () => {
        throw error;
      };
      expect(saidOf({ plan })).toContain(`./bad.mjs: plan() ${words}, for the request of line 57`);
    }
  });
});

describe('a policy', () => {
  const good = { name: 'good', base: 'v6.8', plan: () => ({}) };
  const shapes: [Record<string, unknown>, string][] = [
    [{ ...good, masks: () => ({}) }, 'has masks, which no policy has; it may have name, base,'],
    [{ ...good, plan: 3 }, 'plan is 3, not a function'],
    [{ ...good, name: 'a b' }, 'name is the text "a b", not a name of up to 40 letters'],
    [{ ...good, name: '\x1b[31m' }, 'not a name of up to 40 letters'],
    [{ ...good, base: 6.8 }, "base is 6.8, not a release's name"],
    [{ ...good, base: undefined }, 'has no base'],
    [{ name: 'good', base: 'v6.8' }, 'has nothing that differs from its base'],
    [{ ...good, refusesUnalignedPages: 'yes' }, 'not true or false'],
  ];
  test.each(shapes)('of the wrong shape is refused: %o', (given, words) => {
    expect(() => readPolicy(given, 'p.mjs', 'has')).toThrow(words);
  });

  test('has a base that can be replayed, and a name that no release has', () => {
    expect(() => policyRelease({ ...good, base: 'v4.19' })).toThrow(/base: unknown kernel v4.19/);
    expect(() => policyRelease({ ...good, name: 'will-v1' })).toThrow(/v6.8\+will-v1 is a release/);
    const coherent = { ...good, base: 'v5.10', coherentAlignMask: () => 0 };
    expect(() => policyRelease(coherent)).toThrow(/v5.10 has no swiotlb_alloc\(\)/);
  });
});

describe('a file', () => {
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const body = "export const base = 'v6.8'; export const plan = () => ({});";

  test('is a policy by its path alone', () => {
    expect(['./a.mjs', '/x/a.js', 'a/b.mjs', '..\\a.mjs'].filter(isPolicyPath)).toHaveLength(4);
    expect(['a.mjs', './a.ts', 'v6.8', './a', 'v6.8+x'].filter(isPolicyPath)).toEqual([]);
  });

  test('that gives no name is called as it is', async () => {
    expect(await loadPolicy(write('my-fix.mjs', body))).toMatchObject({
      name: 'my-fix',
      base: 'v6.8',
    });
  });

  test('may export one object', async () => {
    const path = write(
      'whole.mjs',
      "export default { base: 'v6.8', refusesUnalignedPages: true };",
    );
    expect(await loadPolicy(path)).toMatchObject({ name: 'whole', refusesUnalignedPages: true });
  });

  test.each([
    [
      'both.mjs',
      `${body} export default {};`,
      'exports a policy as default, and base, plan beside it',
    ],
    ['number.mjs', 'export default 3;', 'its default export is no object'],
    ['waits.mjs', 'await new Promise(() => {});', 'was not loaded within 10 seconds'],
    ['a b.mjs', body, 'name is the text "a b"'],
  ])('that cannot be used is refused: %s', async (name, text, words) => {
    const path = write(name, text);
    const message = await loadPolicy(path).catch((error: UserError) => error.message);
    expect(message).toContain(`${path}: `);
    expect(message).toContain(words);
  });

  test('that is not there is refused', async () => {
    await expect(loadPolicy('./no/such.mjs')).rejects.toThrow('there is no such policy file');
  });
});
