import type { Command, Help } from 'commander';
import { COMMANDS } from './commands.js';
import { completeAll, createProgram, STATUS } from './program.js';

const ENVIRONMENT: readonly [name: string, meaning: string][] = [
  ['NO_COLOR', 'no colours, as --no-color.'],
  ['FORCE_COLOR', 'colours, whatever standard output is.'],
  ['DEBUG=swiotlb-replay', 'errors tell where in the program they come from.'],
];

/** The manual page of all commands, in the macros of man(7). */
export async function manualPage(): Promise<string> {
  const program = createProgram();
  await completeAll(program);
  const help = program.createHelp();
  const commands = program.commands.filter((command) => command.name() !== 'help');
  return [
    `.TH SWIOTLB\\-REPLAY 1 "" "swiotlb\\-replay ${program.version()}" "User Commands"`,
    '.SH NAME',
    'swiotlb\\-replay \\- replay traces of Linux DMA allocations in a model of swiotlb',
    '.SH SYNOPSIS',
    ...commands.flatMap((command, index) => synopsis(command, index === 0)),
    '.SH DESCRIPTION',
    ...paragraphs(program.description()),
    ...optionList(program, help),
    '.SH COMMANDS',
    ...commands.flatMap((command) => [
      `.SS ${roff(command.name())}`,
      ...paragraphs(command.description()),
      ...optionList(command, help),
    ]),
    '.SH EXIT STATUS',
    ...paragraphs(STATUS.replace('Exit status: ', '')),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([name, meaning]) => ['.TP', `.B ${roff(name)}`, roff(meaning)]),
    '.SH EXAMPLES',
    'In the folder of the package:',
    '.PP',
    '.nf',
    ...COMMANDS.flatMap(({ examples }) => examples).map((example) =>
      roff(`swiotlb-replay ${example}`),
    ),
    '.fi',
    '',
  ].join('\n');
}

function synopsis(command: Command, isDefault: boolean): string[] {
  const name = isDefault ? `[${command.name()}]` : command.name();
  const words = command.usage().replace('[options]', '[OPTION]...');
  return [isDefault ? '.B swiotlb\\-replay' : '.br\n.B swiotlb\\-replay', roff(`${name} ${words}`)];
}

function optionList(command: Command, help: Help): string[] {
  return help
    .visibleOptions(command)
    .flatMap((option) => [
      '.TP',
      `.B ${roff(help.optionTerm(option))}`,
      ...roff(help.optionDescription(option)).split('\n'),
    ]);
}

/** Text whose line ends stand for nothing; empty lines part paragraphs, and indented lines stand for themselves. */
function paragraphs(text: string): string[] {
  return text
    .split('\n')
    .flatMap((line) =>
      line === '' ? ['.PP'] : /^ |: {2}/.test(line) ? ['.br', roff(line)] : [roff(line)],
    );
}

/** Text that roff shows as it is. */
function roff(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^[.']/gm, '\\&$&');
}
