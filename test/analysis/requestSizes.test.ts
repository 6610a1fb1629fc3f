import { expect, test } from 'vitest';
import { watchSizes } from '../../src/analysis/requestSizes.js';
import { replay } from '../support/replaying.js';

test('requests are counted by size, in classes that end at powers of two', async () => {
  const sizes = watchSizes();
  await replay(
    'v6.8',
    `
      #swiotlb-trace 1
      #kernel version=v6.8 page_size=4096
      #pool name=default base=0x80000000 nslabs=128 areas=1 index=0
      dev,op,orig_addr,size,tlb_addr
      a,map,0x100000,1,
      a,map,0x100000,64,
      a,map,0x100000,65,
      a,map,0x100000,512,
      a,map,0x100000,262145,
    `,
    { observe: () => sizes },
  );
  const classes = sizes.classes();
  expect(classes[0]).toEqual({ from: 0, to: 64, served: 2, failed: 0 });
  expect(classes[1]).toEqual({ from: 65, to: 128, served: 1, failed: 0 });
  expect(classes[2]).toMatchObject({ to: 256, served: 0, failed: 0 });
  expect(classes[3]).toMatchObject({ to: 512, served: 1, failed: 0 });
  expect(classes.at(-1)).toEqual({ from: 262145, to: 524288, served: 0, failed: 1 });
});
