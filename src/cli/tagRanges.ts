import { followsTag } from '../kernel/tags.js';

/** Names with runs of consecutive mainline tags folded: `v6.3 to v6.8, v6.8+04867a7a`. */
export function foldTags(names: readonly string[]): string {
  const folded: string[][] = [];
  for (const name of names) {
    const run = folded.at(-1);
    if (run !== undefined && followsTag(run[run.length - 1], name)) run.push(name);
    else folded.push([name]);
  }
  return folded
    .map((run) => (run.length > 1 ? `${run[0]} to ${run[run.length - 1]}` : run[0]))
    .join(', ');
}
