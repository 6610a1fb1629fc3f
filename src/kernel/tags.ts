import type { Release } from './release.js';
import { RELEASES } from './releases.js';

/** Every mainline tag from the first that is known to the last, oldest first. */
export const TAGS: readonly string[] = [
  ...minors(5, 10, 19),
  ...minors(6, 0, 19),
  ...minors(7, 0, 2),
];

function minors(major: number, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, n) => `v${major}.${from + n}`);
}

/** The mainline tags that have a row's allocator; a stable or patched row is its own. */
export function tagsOf(release: Release): string[] {
  if (release.kind !== 'mainline') return [release.name];
  const rows = new Set(RELEASES.filter(({ kind }) => kind === 'mainline').map(({ name }) => name));
  const from = TAGS.indexOf(release.name);
  const next = TAGS.findIndex((tag, n) => n > from && rows.has(tag));
  return TAGS.slice(from, next < 0 ? undefined : next);
}

/** Whether a mainline tag comes right after another. */
export function followsTag(before: string, tag: string): boolean {
  const at = TAGS.indexOf(before);
  return at >= 0 && TAGS[at + 1] === tag;
}
