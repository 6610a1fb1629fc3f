import { createRecordWatch, type RecordWatch } from '../../analysis/iommu/recordWatch.js';
import { watchColumns } from '../../analysis/iommu/watchColumns.js';
import { harmless, harmlessJson } from '../../render/harmless.js';
import { lossesJson, lossLines } from '../../render/losses.js';
import { Exit } from '../exit.js';
import type { OutputOptions, ReplayOptions } from '../options.js';
import type { Output } from '../output.js';
import { chooseIommuRelease } from './choice.js';
import { type IommuInput, type IommuReplayed, replayIommu, strictIommuProblem } from './run.js';

/** Mismatches that a result lists. */
const KEPT = 20;

/** Of those, how many the text shows. */
const SHOWN = 5;

/** `verify` of an IOMMU trace: does the model give every recorded column of every row? */
export async function verifyIommu(
  input: IommuInput,
  output: Output,
  options: ReplayOptions & OutputOptions,
): Promise<number> {
  const replayed = await replayIommu(
    input,
    options,
    (kernel) => chooseIommuRelease(options.kernel, kernel, input.format),
    (replay) => {
      const watch = createRecordWatch(KEPT);
      watchColumns(replay, true, watch.onRow);
      return watch;
    },
  );
  const status = statusOf(replayed);
  await output.write(
    options.json ? verifyJson(input, replayed) : verifyText(input, replayed, status),
  );
  return strictIommuProblem(options, input.path, replayed.tally) ?? status;
}

function statusOf({ tally, runs: [{ watch }] }: IommuReplayed<RecordWatch>): number {
  // A row that is missing shifts every later address: mismatches prove nothing either.
  if (tally.losses.length > 0) return Exit.unproved;
  if (watch.mismatches > 0) return Exit.found;
  return watch.recorded === 0 ? Exit.unproved : Exit.ok;
}

/** As `swiotlb-replay/verify@1`; the columns that differ are named in the texts. */
function verifyJson(
  { path, format }: IommuInput,
  { tally, runs: [{ watch, replay }] }: IommuReplayed<RecordWatch>,
): string {
  return `${harmlessJson({
    schema: 'swiotlb-replay/verify@1',
    path,
    format,
    kernel: replay.release.name,
    events: tally.rows,
    recorded: watch.recorded,
    reproduced: watch.recorded - watch.mismatches,
    assumed: 0,
    incomplete: tally.losses.length > 0,
    mismatches: watch.first,
    expect: null,
    ...(tally.losses.length > 0 && { losses: lossesJson(tally.losses) }),
  })}\n`;
}

function verifyText(
  { path }: IommuInput,
  { tally, runs: [{ watch, replay }], reason, notes }: IommuReplayed<RecordWatch>,
  status: number,
): string {
  const { recorded, mismatches, first } = watch;
  const word = ['ok', 'DIFFERS', '', 'UNPROVED'][status];
  const kernel = replay.release.name;
  const why = reason === undefined ? '' : ` (${reason})`;
  const words =
    recorded === 0
      ? 'records no results: nothing to verify'
      : `${recorded - mismatches} of ${recorded} recorded rows reproduced in every column`;
  const lines = [`${word}  ${harmless(path)}  ${harmless(kernel)}${why}: ${words}`];
  lines.push(...lossLines(tally.losses, 100).map((line) => `  ${line}`));
  for (const { line, recorded: was, replayed } of first.slice(0, SHOWN)) {
    lines.push(harmless(`  line ${line}  recorded ${was}; ${kernel} gives ${replayed}`));
  }
  if (mismatches > SHOWN) lines.push(`  and ${mismatches - SHOWN} more`);
  lines.push(...notes.map((note) => `  assumed ${harmless(note)}`));
  const { problems } = tally.trace;
  if (problems.count > 0) {
    const [{ line, message }] = problems.first;
    lines.push(
      `  ${problems.count} lines not understood; the first is line ${line}: ${harmless(message)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}
