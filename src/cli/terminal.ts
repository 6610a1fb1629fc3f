/** What is known of where output goes. */
export interface Terminal {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

/** Columns below which a strip of characters tells too little. */
const WIDE_ENOUGH = 80;

/** Terminals that lack block characters: no font at all, and the 256 or 512 glyphs of the kernel's console. */
const WITHOUT_BLOCKS = /^(dumb|linux|vt\d+|)$/;

/**
 * Whether block characters can be drawn. The locale's character set is found as setlocale() does: the first
 * of LC_ALL, LC_CTYPE and LANG that is set, and not empty, decides.
 */
export function showsBlocks(
  { isTTY = false, columns = 0 }: Terminal,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return (
    isTTY &&
    columns >= WIDE_ENOUGH &&
    !WITHOUT_BLOCKS.test(env.TERM ?? '') &&
    /\.utf-?8(@|$)/i.test(locale)
  );
}
