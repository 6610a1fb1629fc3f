import type { Command, Option } from 'commander';
import { RELEASES } from '../../kernel/releases.js';
import { COMMANDS } from '../commands.js';

/** What can follow an option, or stand as an argument. */
export type Value =
  /** Words to choose from. */
  | { kind: 'words'; words: readonly string[] }
  /** Releases; a policy is a file. */
  | { kind: 'releases'; words: readonly string[] }
  | { kind: 'file' }
  /** Something that no shell can know. */
  | { kind: 'free' };

/** An option, as a shell completes it. */
export interface OptionShape {
  long: string;
  short: string | undefined;
  /** Its first words. */
  description: string;
  /** Undefined for an option that stands alone. */
  value: Value | undefined;
  /** The value may be left out. */
  isOptional: boolean;
}

/** A command, as a shell completes it. */
export interface CommandShape {
  name: string;
  summary: string;
  options: OptionShape[];
  /** Undefined for a command without arguments. */
  argument: Value | undefined;
}

/** What a shell has to know of the whole program; all commands must have been loaded. */
export function shapesOf(program: Command): CommandShape[] {
  const help = program.createHelp();
  const names = program.commands.map((command) => command.name());
  return program.commands.map((command) => ({
    name: command.name(),
    summary: command.summary(),
    options: [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)]
      .concat(program.options)
      .map(optionShape),
    argument: argumentOf(command, names),
  }));
}

function optionShape(option: Option): OptionShape {
  const { long, short, description } = option;
  return {
    long: long ?? '',
    short: short ?? undefined,
    description: description.replace(/\s+/g, ' ').replace(/[:;,.] .*/, ''),
    value: option.required || option.optional ? whatFollows(option) : undefined,
    isOptional: option.optional,
  };
}

function whatFollows({ argChoices, flags }: Option): Value {
  if (argChoices !== undefined) return { kind: 'words', words: argChoices };
  if (flags.includes('<release>')) {
    return {
      kind: 'releases',
      words: ['latest', 'recorded', ...RELEASES.map(({ name }) => name)],
    };
  }
  return { kind: flags.includes('<file>') ? 'file' : 'free' };
}

function argumentOf(command: Command, names: readonly string[]): Value | undefined {
  const [argument] = command.registeredArguments;
  if (argument === undefined) return undefined;
  if (argument.argChoices !== undefined) return { kind: 'words', words: argument.argChoices };
  const isHelp = !COMMANDS.some(({ name }) => name === command.name());
  return isHelp ? { kind: 'words', words: names } : { kind: 'file' };
}
