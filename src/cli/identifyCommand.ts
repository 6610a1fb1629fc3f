import type { Command } from 'commander';
import { type MismatchWatch, watchMismatches } from '../analysis/mismatches.js';
import type { TraceInfo } from '../events/trace.js';
import { RELEASES } from '../kernel/releases.js';
import { tagsOf } from '../kernel/tags.js';
import { harmless, harmlessJson } from '../render/harmless.js';
import { eachTrace } from './eachTrace.js';
import { Exit } from './exit.js';
import { byKind } from './iommu/byKind.js';
import { identifyIommu } from './iommu/identify.js';
import {
  addOutputOptions,
  addReplayOptions,
  type OutputOptions,
  type ReplayOptions,
} from './options.js';
import { type Replayed, replayTrace, strictProblem, tellLosses } from './run.js';
import { foldTags } from './tagRanges.js';

type Options = ReplayOptions & OutputOptions;

/** What `identify --json` prints: `swiotlb-replay/identify@1`. */
interface IdentifyResult {
  schema: 'swiotlb-replay/identify@1';
  path: string;
  recorded: number;
  matches: string[];
  others: { kernel: string; reproduced: number; firstMismatch: number }[];
}

/** `identify TRACE...`: which releases give every recorded address? */
export function identifyCommand(command: Command): void {
  command.description(
    'Replay traces in every release and name those that give every recorded address; for the\n' +
      'others, the line where they first part. Exit status 1 where none does, 3 where nothing is recorded.',
  );
  addReplayOptions(command, false);
  addOutputOptions(command).action((paths: string[], options: Options) =>
    eachTrace(
      paths,
      options.file,
      byKind(
        options,
        (input, output) => identifyIommu(input, output, options),
        async (path, output, source) => {
          const replayed = await replayTrace(
            path,
            options,
            () => ({ releases: [...RELEASES], reason: undefined, elect: false }),
            (session) => {
              const watch = watchMismatches(1);
              session.observers.push(watch);
              return watch;
            },
            { opened: source },
          );
          const result = identify(path, replayed);
          await output.write(options.json ? `${harmlessJson(result)}\n` : identifyText(result));
          tellLosses(path, replayed.info);
          return strictProblem(options, path, replayed.info) ?? status(result, replayed.info);
        },
      ),
    ),
  );
}

function identify(path: string, { runs }: Replayed<MismatchWatch>): IdentifyResult {
  const matches: string[] = [];
  const others: IdentifyResult['others'] = [];
  for (const { session, watch } of runs) {
    const { release } = session.options;
    const { recorded, mismatches } = session.totals;
    if (mismatches === 0) matches.push(...tagsOf(release));
    else {
      const reproduced = recorded - mismatches;
      others.push({ kernel: release.name, reproduced, firstMismatch: watch.first[0].line });
    }
  }
  return {
    schema: 'swiotlb-replay/identify@1',
    path,
    recorded: runs[0].session.totals.recorded,
    matches,
    others,
  };
}

function status({ recorded, matches }: IdentifyResult, { losses }: TraceInfo): number {
  // A call that is missing shifts every later address: neither answer is proved.
  if (recorded === 0 || losses.length > 0) return Exit.unproved;
  return matches.length > 0 ? Exit.ok : Exit.found;
}

function identifyText({ path, recorded, matches, others }: IdentifyResult): string {
  if (recorded === 0)
    return `${harmless(path)}: records no results: any release may have made it\n`;
  const [are, all] =
    recorded === 1
      ? ['the one recorded result is that', 'the one recorded result']
      : [`all ${recorded} recorded results are those`, `all ${recorded} recorded results`];
  const lines = [
    matches.length > 0
      ? `${harmless(path)}: ${are} of ${foldTags(matches)}`
      : `${harmless(path)}: no release gives ${all}`,
  ];
  const closestFirst = [...others].sort((a, b) => b.reproduced - a.reproduced);
  for (const { kernel, reproduced, firstMismatch } of closestFirst) {
    lines.push(
      `  not ${kernel.padEnd(14)} parts at line ${firstMismatch}, ${reproduced} of ${recorded} reproduced`,
    );
  }
  return `${lines.join('\n')}\n`;
}
