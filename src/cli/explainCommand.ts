import { type Command, InvalidArgumentError } from 'commander';
import { watchExplanation } from '../analysis/explain.js';
import { UserError } from '../events/errors.js';
import { explainJson, explainText } from '../render/explain.js';
import { eachTrace } from './eachTrace.js';
import { Exit } from './exit.js';
import { addReplayOptions, type ReplayOptions } from './options.js';
import { renderOptions } from './output.js';
import { chooseReleases, replayTrace, strictProblem, tellLosses, unlessIncomplete } from './run.js';

interface Options extends ReplayOptions {
  line: number;
  json?: boolean;
  file?: string;
}

/** `explain TRACE --line N`: why did that request get that slot, or none? */
export function explainCommand(command: Command): void {
  command
    .description(
      'Replay a trace up to a line and show every candidate slot of its search, what ruled each out,\n' +
        "and the numbers that the search ran with. Exit status 1 where the line's request fails.",
    )
    .requiredOption('--line <number>', 'line of a map or alloc', parseLine);
  addReplayOptions(command)
    .option('--json', 'as one JSON object, with every run of candidates')
    .option('-o, --file <file>', 'write the result to a file, complete or not at all')
    .action((path: string, options: Options) =>
      eachTrace([path], options.file, async (_, output) => {
        const { runs, info } = await replayTrace(
          path,
          options,
          (known) => chooseReleases(options.kernel, known),
          (session) => {
            const watch = watchExplanation(session, options.line);
            session.observers.push(watch);
            return watch;
          },
        );
        const { explanation } = runs[0].watch;
        if (explanation === undefined) {
          throw new UserError(`${path}: line ${options.line} is no map or alloc that was replayed`);
        }
        await output.write(
          options.json
            ? explainJson(path, explanation)
            : explainText(path, explanation, renderOptions(options.file)),
        );
        tellLosses(path, info);
        const status = explanation.result ? Exit.ok : Exit.found;
        return strictProblem(options, path, info) ?? unlessIncomplete(status, info);
      }),
    );
}

function parseLine(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new InvalidArgumentError('It is a line number, from 1 up.');
  }
  return Number(text);
}
