import { type Command, Option } from 'commander';
import { type CaptureFacts, captureFacts, versionNumber } from '../capture/facts.js';
import { bootParameters } from '../capture/probes.js';
import { CAPTURE_TOOLS } from '../capture/recipe.js';
import { latestRelease, placeRelease } from '../kernel/select.js';
import { readVersion } from '../kernel/version.js';
import { complain } from './eachTrace.js';
import { openOutput } from './output.js';
import { requireRelease } from './run.js';

interface Options {
  kernel: string;
  tool: string;
  boot?: boolean;
  file?: string;
}

/** A patch level that no series reaches: for names that do not tell theirs, which are mostly new. */
const NEWEST_PATCH = 999;

/** `capture`: a script that records a trace on a running kernel. */
export function captureCommand(command: Command): void {
  command
    .description(
      'Print a shell script that records maps with parameters and results, unmaps, syncs, device\n' +
        'masks, pool geometry and dmesg on a kernel of that release, into one archive that the other\n' +
        'commands read as it is. Run it as root on that kernel. The script tells what it costs and\n' +
        'what it cannot see; docs/capture.md tells more.\n\nTools:\n' +
        CAPTURE_TOOLS.map(({ name, summary }) => `  ${name.padEnd(10)} ${summary}`).join('\n'),
    )
    .requiredOption('--kernel <release>', 'a release, or what `uname -r` prints on that machine')
    .addOption(
      new Option('--tool <tool>', 'what records')
        .choices(CAPTURE_TOOLS.map(({ name }) => name))
        .default(CAPTURE_TOOLS[0].name),
    )
    .option('--boot', "print the kernel's own parameters that record from boot on instead")
    .option('-o, --file <file>', 'write the script to a file')
    .action(async (options: Options) => {
      const facts = factsOf(options.kernel);
      const tool = CAPTURE_TOOLS.find(({ name }) => name === options.tool) ?? CAPTURE_TOOLS[0];
      const output = openOutput(options.file);
      await output.write(
        options.boot ? `${bootParameters(facts).join(' ')}\n` : tool.script(facts),
      );
      await output.done();
    });
}

/**
 * What is known of a kernel. Functions and arguments are known of more kernels than can be replayed:
 * of newer ones, and of those whose builders changed the allocator.
 * @throws UserError for what is no kernel's name, or one that is too old
 */
function factsOf(name: string): CaptureFacts {
  const version = readVersion(name === 'latest' ? latestRelease().name : name);
  const newest = readVersion(latestRelease().name);
  const number = (known: typeof version): number =>
    known === undefined
      ? 0
      : versionNumber(
          known.major,
          known.minor,
          known.hidesPatch ? NEWEST_PATCH : (known.patch ?? 0),
        );
  const isNewer = number(version) > number(newest);
  if (isNewer && placeRelease(name)?.release === undefined) {
    complain(`${name} cannot be replayed yet; its functions are taken to be those of v7.3`);
    return captureFacts(name, number(version));
  }
  const release = requireRelease(name);
  // A row's name (`v6.8+will-v1`) begins with the tag that it stands on.
  const base = version ?? readVersion(release.name.replace(/\+.*/, ''));
  return captureFacts(release.name, number(base));
}
