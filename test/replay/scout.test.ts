import { expect, test } from 'vitest';
import { createScout } from '../../src/replay/scout.js';
import { vectorsOf } from '../support/vectors.js';
import { optionsFor, randomNumbers, recordingOf, releaseNamed } from './displacing.js';

const some = vectorsOf('swiotlb').filter((_, n) => n % 4 === 1);

test.each(['linear', 'indexed'])('going back leaves no trace, %s', async (search) => {
  for (const { path, version } of some) {
    const { info, rows } = await recordingOf(path);
    const random = randomNumbers();
    const options = { ...optionsFor(info, releaseNamed(version)), search };
    const scout = createScout(info, options);
    let next = 0;
    while (next < rows.length) {
      const ahead = Math.min(rows.length, next + random(60));
      for (; next < ahead; next++) {
        if (scout.apply(rows, next)) continue;
        // Only a release of less or more than was taken is refused, and nothing goes back behind it.
        expect([version, next, scout.missed]).toEqual([version, next, undefined]);
        scout.accept(rows, next);
        scout.forget(0);
      }
      const back = Math.min(random(50), scout.steps.length);
      for (let n = 0; n < back; n++) scout.undo();
      next -= back;
    }
  }
});
