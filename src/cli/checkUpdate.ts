import { readFileSync } from 'node:fs';
import { EXPECT_SUFFIX, type ExpectedCase } from '../corpus/expectation.js';
import { newCase, sortedCases, updatedCase } from '../corpus/update.js';
import { expectationText } from '../corpus/writing.js';
import { UserError } from '../events/errors.js';
import { harmless } from '../render/harmless.js';
import { jobOf } from './checkCase.js';
import { type CorpusFile, readExpectation } from './checkFiles.js';
import { runCheckJobs } from './checkPool.js';
import { complain } from './eachTrace.js';
import { Exit } from './exit.js';
import { openOutput } from './output.js';

/** A case to be written; a new one may leave its kernel to what the trace tells. */
type Wanted = Omit<ExpectedCase, 'kernel'> & { kernel: string | undefined };

/**
 * Writes the expectation files of traces as the replays show it, where that changes them. A file of
 * which one case cannot be replayed stays as it is.
 * @returns the exit status
 */
export async function updateExpectations(
  files: readonly CorpusFile[],
  { kernel: kernels, jobs: threads }: { kernel: readonly string[]; jobs: number },
): Promise<number> {
  let status: number = Exit.ok;
  const refuse = (message: string): void => {
    complain(message);
    status = Exit.unusable;
  };
  const plans: { file: CorpusFile; wanted: Wanted[] }[] = [];
  for (const file of files) {
    try {
      plans.push({ file, wanted: wantedCases(file, kernels) });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      refuse(error.message);
    }
  }
  const observed = await runCheckJobs(
    plans.flatMap(({ file, wanted }) => wanted.map((each) => jobOf(file, each))),
    threads,
  );
  let at = 0;
  const counts = { new: 0, changed: 0, same: 0 };
  for (const { file, wanted } of plans) {
    const cases = wanted.flatMap((each) => {
      const answer = observed[at++];
      if (typeof answer !== 'string') {
        return [updatedCase({ ...each, kernel: each.kernel ?? answer.kernel }, answer)];
      }
      refuse(`${file.name}, ${each.kernel ?? 'recorded'}: ${answer}`);
      return [];
    });
    if (cases.length < wanted.length) continue;
    const change = await write(file, cases);
    counts[change]++;
    if (change !== 'same') {
      process.stdout.write(`${change.padEnd(8)} ${harmless(file.name)}${EXPECT_SUFFIX}\n`);
    }
  }
  process.stdout.write(
    `${counts.new} written, ${counts.changed} changed, ${counts.same} stay as they are\n`,
  );
  return status;
}

/** The cases that a file has, and one for each kernel that it should have. */
function wantedCases(file: CorpusFile, kernels: readonly string[]): Wanted[] {
  if (file.isMissing) throw new UserError(`${file.name}: there is no such trace`);
  const old: Wanted[] = file.isExpected ? readExpectation(file).cases : [];
  const missing = kernels.filter((kernel) => !old.some((each) => each.kernel === kernel));
  const wanted = [...old, ...new Set(missing)].map((each) =>
    typeof each === 'string' ? newCase(each) : each,
  );
  return wanted.length > 0 ? wanted : [{ ...newCase(''), kernel: undefined }];
}

async function write(
  { path, isExpected }: CorpusFile,
  cases: ExpectedCase[],
): Promise<'new' | 'changed' | 'same'> {
  const text = expectationText(sortedCases(cases));
  if (isExpected && readFileSync(path + EXPECT_SUFFIX, 'utf8') === text) return 'same';
  const output = openOutput(path + EXPECT_SUFFIX);
  await output.write(text);
  await output.done();
  return isExpected ? 'changed' : 'new';
}
