import type { Command } from 'commander';
import { type MismatchWatch, watchMismatches } from '../analysis/mismatches.js';
import type { Verification } from '../library/verification.js';
import { KEPT_MISMATCHES, verificationOf } from '../library/verifying.js';
import { harmless, harmlessJson } from '../render/harmless.js';
import { lossLines } from '../render/losses.js';
import { eachTrace } from './eachTrace.js';
import { Exit } from './exit.js';
import { byKind } from './iommu/byKind.js';
import { verifyIommu } from './iommu/verify.js';
import {
  addOutputOptions,
  addReplayOptions,
  type OutputOptions,
  type ReplayOptions,
} from './options.js';
import { chooseReleases, type Replayed, replayTrace, strictProblem } from './run.js';

type Options = ReplayOptions & OutputOptions;

/** Mismatches that the text shows, of those that a result lists. */
const SHOWN = 5;

/** `verify TRACE...`: does the model give every recorded address? */
export function verifyCommand(command: Command): void {
  command.description(
    "Replay traces and compare every recorded address, and the #expect lines, with the model's.\n" +
      'Exit status 1 and the first differences where they part; 3 where nothing is recorded, or the\n' +
      'trace has lost events.',
  );
  addReplayOptions(command);
  addOutputOptions(command).action((paths: string[], options: Options) =>
    eachTrace(
      paths,
      options.file,
      byKind(
        options,
        (input, output) => verifyIommu(input, output, options),
        async (path, output, source) => {
          const replayed = await replayTrace(
            path,
            options,
            (info) => chooseReleases(options.kernel, info),
            (session) => {
              const watch = watchMismatches(KEPT_MISMATCHES);
              session.observers.push(watch);
              return watch;
            },
            { opened: source },
          );
          const result = verificationOf(replayed);
          await output.write(
            options.json ? `${harmlessJson(result)}\n` : verifyText(result, replayed),
          );
          return strictProblem(options, path, replayed.info) ?? status(result);
        },
      ),
    ),
  );
}

function status(result: Verification): number {
  // A call that is missing shifts every later address: mismatches prove nothing either.
  if (result.incomplete) return Exit.unproved;
  if (result.mismatches.length > 0 || result.expect?.ok === false) return Exit.found;
  return result.recorded === 0 ? Exit.unproved : Exit.ok;
}

function verifyText(
  result: Verification,
  { runs, kernelReason, info }: Replayed<MismatchWatch>,
): string {
  const { kernel, recorded, reproduced } = result;
  const word = ['ok', 'DIFFERS', '', 'UNPROVED'][status(result)];
  const reason = kernelReason ? ` (${harmless(kernelReason)})` : '';
  const words =
    recorded === 0
      ? 'records no results: nothing to verify'
      : `${reproduced} of ${recorded} recorded results reproduced`;
  const lines = [`${word}  ${harmless(result.path)}  ${kernel}${reason}: ${words}`];
  lines.push(...lossLines(info.losses, 100).map((line) => `  ${line}`));
  const [{ session, watch }] = runs;
  for (const { line, device, recorded: was, replayed } of watch.first.slice(0, SHOWN)) {
    lines.push(`  line ${line}  ${harmless(device)}: recorded ${was}, ${kernel} gives ${replayed}`);
  }
  const more = session.totals.mismatches - SHOWN;
  if (more > 0) lines.push(`  and ${more} more`);
  for (const difference of result.expect?.differences ?? [])
    lines.push(`  ${harmless(difference)}`);
  if (info.problems.count > 0) {
    const [{ line, message }] = info.problems.first;
    lines.push(
      `  ${info.problems.count} lines not understood; the first is line ${line}: ${harmless(message)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
