import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { harmlessLines } from '../render/harmless.js';
import { COMMANDS } from './commands.js';

/** What the exit statuses of most commands mean. */
export const STATUS =
  'Exit status: 0 nothing wrong found, 1 findings or differences, 2 wrong usage or an unusable trace,\n' +
  '3 nothing wrong found but the trace does not carry that verdict.';

/** Commands whose --kernel is a release and no policy. */
const REPLAYING_NOTHING = new Set(['capture', 'completion', 'diagnose']);

/** The command line; what a command is beyond its line in the help is loaded when it is named. */
export function createProgram(): Command {
  const program = new Command('swiotlb-replay')
    .description(
      "Replay traces of Linux DMA allocations in a bit-exact model of the kernel's swiotlb.\n" +
        '`swiotlb-replay TRACE...` is short for `swiotlb-replay replay TRACE...`.',
    )
    .version(packageVersion(), '-V, --version')
    .option('--no-color', 'no colours, whatever the terminal')
    .helpCommand(false)
    .showHelpAfterError('(--help tells more)')
    .exitOverride()
    // Commander quotes what it does not know as it is; a script may have taken that from anywhere.
    .configureOutput({ writeErr: (text) => process.stderr.write(harmlessLines(text)) })
    .addHelpText(
      'after',
      `${examplesText(COMMANDS.map(({ examples: [first] }) => first))}\n\n${STATUS}`,
    );
  for (const [index, { name, summary, argument, examples }] of COMMANDS.entries()) {
    const command = program.command(name, { isDefault: index === 0 }).summary(summary);
    if (argument !== undefined) command.argument(...argument);
    command.addHelpText('after', examplesText(examples));
  }
  addHelpCommand(program);
  program.hook('preSubcommand', (_, command) => complete(command));
  program.hook('preAction', async (_, command) => {
    if (REPLAYING_NOTHING.has(command.name())) return;
    const { loadPolicies } = await import('./policies.js');
    await loadPolicies(command.opts());
  });
  return program;
}

/** Loads what every command is, for who wants to see the whole. */
export async function completeAll(program: Command): Promise<void> {
  for (const command of program.commands) await complete(command);
}

const completed = new WeakSet<Command>();

async function complete(command: Command): Promise<void> {
  const entry = COMMANDS.find(({ name }) => name === command.name());
  if (entry === undefined || completed.has(command)) return;
  completed.add(command);
  const define = await entry.load();
  define(command);
}

/** `help COMMAND`: commander's own would show a command that is not loaded yet. */
function addHelpCommand(program: Command): void {
  program
    .command('help')
    .summary('display help for a command')
    .argument('[command]')
    .action(async (name?: string) => {
      const command = program.commands.find((each) => each.name() === name);
      if (command === undefined && name !== undefined) {
        program.error(`error: unknown command '${name}'`);
      }
      if (command !== undefined) await complete(command);
      (command ?? program).help();
    });
}

function examplesText(examples: readonly string[]): string {
  return `\nExamples:\n${examples.map((example) => `  swiotlb-replay ${example}`).join('\n')}`;
}

function packageVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
