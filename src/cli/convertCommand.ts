import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Place } from '../convert/selection.js';
import { UserError } from '../events/errors.js';
import { globMatcher } from '../replay/geometry.js';
import { convertToCanonical } from './convert/canonical.js';
import type { Conversion } from './convert/conversion.js';
import { convertToPerfetto } from './convert/perfetto.js';
import { eachTrace } from './eachTrace.js';
import { byKind } from './iommu/byKind.js';
import { addReplayOptions, type ReplayOptions } from './options.js';

const FORMATS = ['csv', 'jsonl', 'perfetto'] as const;

type Format = (typeof FORMATS)[number];

/** `--to` names the format, and where to stop: no format is a number. */
interface Target {
  format: Format;
  place: Place | undefined;
}

interface Options extends ReplayOptions {
  to: Target;
  from?: Place;
  onlyDevice?: (name: string) => boolean;
  anonymize?: boolean;
  file?: string;
}

/** `convert TRACE`: writes a trace in another format, or a part of it, or without what tells whose it is. */
export function convertCommand(command: Command): void {
  command.description(
    'Write a trace of any format as canonical CSV, as JSON lines, or as a trace that\n' +
      'ui.perfetto.dev opens, in the order and with the start indexes that the replay\n' +
      'found. Standard error tells what the new format cannot carry, and what was left out.',
  );
  addReplayOptions(command)
    .addOption(
      new Option(
        '--to <format|place>',
        `${FORMATS.join(', ')}; and where to stop: the last line, or time such as 12.5s; repeatable`,
      )
        .argParser(parseTarget)
        .default({ format: 'csv', place: undefined }, 'csv'),
    )
    .option('--from <place>', 'the first line, or time such as 12.5s, to keep', parsePlace)
    .option('--only-device <glob>', 'keep the events of these devices alone', globMatcher)
    .option(
      '--anonymize',
      'other device names and high address bits; a replay finds the same (docs/formats.md)',
    )
    .option('-o, --file <file>', 'write the result to a file, complete or not at all')
    .action(convert);
}

function convert(path: string, options: Options): Promise<void> {
  const { format, place: to } = options.to;
  const { from, onlyDevice } = options;
  if (from !== undefined && to !== undefined && from.by === to.by && from.at > to.at) {
    throw new UserError('--from is behind --to: nothing would be left');
  }
  const selection = { takesDevice: onlyDevice, from, to };
  const isPart = [onlyDevice, from, to].some((each) => each !== undefined);
  return eachTrace(
    [path],
    options.file,
    byKind(
      options,
      async ({ format: kind }) => {
        throw new UserError(
          `${path}: is an IOMMU trace (${kind}), which convert does not write; #iova-trace and` +
            ' #dma-iommu-trace are the canonical form of those already',
        );
      },
      (_, output, opened) => {
        const anonymize = options.anonymize ?? false;
        const conversion: Conversion = { path, opened, options, selection, isPart, anonymize };
        return format === 'perfetto'
          ? convertToPerfetto(conversion, output)
          : convertToCanonical(conversion, format, output);
      },
    ),
  );
}

function parseTarget(text: string, previous: Target): Target {
  const format = FORMATS.find((name) => name === text);
  if (format !== undefined) return { ...previous, format };
  if (/^\d/.test(text)) return { ...previous, place: parsePlace(text) };
  throw new InvalidArgumentError(
    `It is one of ${FORMATS.join(', ')}, or a line such as 500, or a time such as 12.5s.`,
  );
}

function parsePlace(text: string): Place {
  const parts = /^(\d{1,15}(?:\.\d{1,9})?)(s?)$/.exec(text);
  if (parts === null || (parts[2] === '' && text.includes('.'))) {
    throw new InvalidArgumentError('It is a line such as 500, or a time such as 12.5s.');
  }
  return { by: parts[2] === 's' ? 'time' : 'line', at: Number(parts[1]) };
}
