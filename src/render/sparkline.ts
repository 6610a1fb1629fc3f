const BLOCKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/**
 * Values from left to right as bars of at most `width` characters, each the mean of the values that fall
 * on it; what is not 0 shows.
 * @param top what fills a character; 0 draws nothing but blanks
 */
export function sparkline(values: Float64Array, width: number, top: number): string {
  const cells = Math.min(width, values.length);
  let line = '';
  for (let cell = 0; cell < cells; cell++) {
    const from = Math.floor((cell * values.length) / cells);
    const to = Math.floor(((cell + 1) * values.length) / cells);
    const mean = values.subarray(from, to).reduce((sum, value) => sum + value, 0) / (to - from);
    const part = top > 0 ? Math.min(1, Math.max(0, mean / top)) : 0;
    line += BLOCKS[Math.ceil(part * (BLOCKS.length - 1))];
  }
  return line;
}
