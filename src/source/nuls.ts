import type { BlockTally, ReadInto } from './blocks.js';

const BLANK = 0x20;

/** Makes blanks of NUL bytes, which no parser expects, and counts them. */
export function withoutNuls(read: ReadInto, tally: BlockTally): ReadInto {
  let run = 0;

  function blankOut(bytes: Buffer, from: number, to: number): void {
    let at = bytes.indexOf(0, from);
    if (at !== from) run = 0;
    while (at >= 0 && at < to) {
      bytes[at] = BLANK;
      tally.nuls = (tally.nuls ?? 0) + 1;
      tally.longestNuls = Math.max(tally.longestNuls ?? 0, ++run);
      if (bytes[at + 1] !== 0 && at + 1 < to) run = 0;
      at = bytes.indexOf(0, at + 1);
    }
  }

  return (into, offset, length) => {
    const answer = read(into, offset, length);
    const blanked = (got: number): number => {
      if (got > 0) blankOut(into.subarray(0, offset + got), offset, offset + got);
      return got;
    };
    return typeof answer === 'number' ? blanked(answer) : answer.then(blanked);
  };
}
