import type { BlockTally, ReadInto } from './blocks.js';

const BLANK = 0x20;

/** Makes blanks of NUL bytes, which no parser expects, and counts them. */
export function withoutNuls(read: ReadInto, tally: BlockTally): ReadInto {
  /** NULs at the end of what was read so far. */
  let run = 0;

  function blankOut(bytes: Buffer): void {
    let at = bytes.indexOf(0);
    if (at !== 0) run = 0;
    while (at >= 0) {
      let end = at + 1;
      while (bytes[end] === 0) end++;
      bytes.fill(BLANK, at, end);
      run += end - at;
      tally.nuls = (tally.nuls ?? 0) + end - at;
      tally.longestNuls = Math.max(tally.longestNuls ?? 0, run);
      if (end < bytes.length) run = 0;
      at = bytes.indexOf(0, end);
    }
  }

  return (into, offset, length) => {
    const blanked = (got: number): number => {
      if (got > 0) blankOut(into.subarray(offset, offset + got));
      return got;
    };
    const answer = read(into, offset, length);
    return typeof answer === 'number' ? blanked(answer) : answer.then(blanked);
  };
}
