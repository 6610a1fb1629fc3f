import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from './cli.js';

/** Names of the shipped stories. */
export const STORIES: readonly string[] = readdirSync(join(PROJECT, 'traces'), {
  withFileTypes: true,
})
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

/** A story's files. */
export function filesOf(story: string): string[] {
  return readdirSync(join(PROJECT, 'traces', story));
}

/** The traces of stories about the slot allocator, below the project's folder. */
export const SWIOTLB_TRACES: readonly string[] = STORIES.filter(
  (story) => !story.startsWith('iommu-'),
).flatMap((story) =>
  filesOf(story)
    .filter((name) => /^trace\.\w+$/.test(name))
    .map((name) => `traces/${story}/${name}`),
);
