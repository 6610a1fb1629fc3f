/** One part of a corpus: number `index` (1-based) of `of`. */
export interface Shard {
  index: number;
  of: number;
}

/** `2/4`, understood; undefined if it is no shard. */
export function parseShard(text: string): Shard | undefined {
  const parts = /^(\d{1,4})\/(\d{1,4})$/.exec(text);
  if (parts === null) return undefined;
  const [index, of] = [Number(parts[1]), Number(parts[2])];
  return index >= 1 && index <= of ? { index, of } : undefined;
}

/** The items of a shard: every `of`-th, so that machines that list the same files share them without asking. */
export function inShard<T>(items: readonly T[], { index, of }: Shard): T[] {
  return items.filter((_, n) => n % of === index - 1);
}
