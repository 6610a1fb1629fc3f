import { createRecordWatch, type RecordWatch } from '../../analysis/iommu/recordWatch.js';
import { watchColumns } from '../../analysis/iommu/watchColumns.js';
import { type AlikeReleases, distinctIommuReleases } from '../../kernel/iommuSelect.js';
import { TAGS } from '../../kernel/tags.js';
import { harmless, harmlessJson } from '../../render/harmless.js';
import { Exit } from '../exit.js';
import type { OutputOptions, ReplayOptions } from '../options.js';
import type { Output } from '../output.js';
import { foldTags } from '../tagRanges.js';
import { type IommuInput, replayIommu, strictIommuProblem, tellGaps } from './run.js';

interface Candidate {
  /** Of the release that was replayed. */
  kernel: string;
  /** Of every release that replays such a trace as it does. */
  names: string[];
  watch: RecordWatch;
}

/** `identify` of an IOMMU trace: which releases give every recorded column of every row? */
export async function identifyIommu(
  input: IommuInput,
  output: Output,
  options: ReplayOptions & OutputOptions,
): Promise<number> {
  const alike = distinctIommuReleases(input.format === 'dma-iommu');
  const { tally, runs } = await replayIommu(
    input,
    options,
    () => ({
      releases: alike.map(({ release }) => release),
      reason: undefined,
      allowsLargeGranules: true,
    }),
    (replay) => {
      const watch = createRecordWatch(1);
      watchColumns(replay, true, watch.onRow);
      return watch;
    },
  );
  const candidates = runs.map(({ replay, watch }, n) => ({
    kernel: replay.release.name,
    names: namesOf(alike[n], replay.release.name),
    watch,
  }));
  await output.write(
    options.json ? identifyJson(input, candidates) : identifyText(input, candidates),
  );
  tellGaps(input.path, tally);
  const { recorded } = candidates[0].watch;
  const isFound = candidates.some(({ watch }) => watch.mismatches === 0);
  const proves = recorded > 0 && tally.losses.length === 0;
  const status = !proves ? Exit.unproved : isFound ? Exit.ok : Exit.found;
  return strictIommuProblem(options, input.path, tally) ?? status;
}

/** Mainline tags in their order, then all other names. */
function tagsFirst(names: readonly string[]): string[] {
  const tags = TAGS.filter((tag) => names.includes(tag));
  return [...tags, ...names.filter((name) => !tags.includes(name))];
}

/** The names of alike releases, with what was added to the replayed one's name so that it boots. */
function namesOf({ release, names }: AlikeReleases, replayed: string): string[] {
  const added = replayed.slice(release.name.length);
  return names.map((name) => name + added);
}

function matchesOf(candidates: readonly Candidate[]): string[] {
  return candidates.filter(({ watch }) => watch.mismatches === 0).flatMap(({ names }) => names);
}

function identifyJson({ path }: IommuInput, candidates: readonly Candidate[]): string {
  return `${harmlessJson({
    schema: 'swiotlb-replay/identify@1',
    path,
    recorded: candidates[0].watch.recorded,
    matches: tagsFirst(matchesOf(candidates)),
    others: others(candidates),
  })}\n`;
}

function others(
  candidates: readonly Candidate[],
): { kernel: string; reproduced: number; firstMismatch: number }[] {
  return candidates
    .filter(({ watch }) => watch.mismatches > 0)
    .map(({ kernel, watch }) => ({
      kernel,
      reproduced: watch.recorded - watch.mismatches,
      firstMismatch: watch.first[0].line,
    }));
}

function identifyText({ path }: IommuInput, candidates: readonly Candidate[]): string {
  const { recorded } = candidates[0].watch;
  if (recorded === 0) {
    return `${harmless(path)}: records no results: any release may have made it\n`;
  }
  const matches = tagsFirst(matchesOf(candidates));
  const [are, all] =
    recorded === 1
      ? ['the one recorded row is that', 'the one recorded row']
      : [`all ${recorded} recorded rows are those`, `all ${recorded} recorded rows`];
  const lines = [
    matches.length > 0
      ? `${harmless(path)}: ${are} of ${foldTags(matches)}`
      : `${harmless(path)}: no release gives ${all}`,
  ];
  const closestFirst = candidates
    .filter(({ watch }) => watch.mismatches > 0)
    .sort((a, b) => a.watch.mismatches - b.watch.mismatches);
  for (const { names, watch } of closestFirst) {
    const { first, mismatches } = watch;
    lines.push(
      `  not ${foldTags(names)}: parts at line ${first[0].line}, ${recorded - mismatches} of ${recorded} reproduced`,
    );
  }
  return `${lines.join('\n')}\n`;
}
