import type { CommandShape, OptionShape, Value } from './shape.js';

/** A script that completes command lines in fish. */
export function fishScript(commands: readonly CommandShape[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  return `# fish completion for swiotlb-replay
function __swiotlb_replay_command
    for word in (commandline -opc)[2..]
        switch $word
            case ${names}
                echo $word
                return
            case '-*'
            case '*'
                break
        end
    end
    echo $argv[1]
end

complete -c swiotlb-replay -f
complete -c swiotlb-replay -F -n 'test (__swiotlb_replay_command none) = none'
${commands.map(({ name, summary }) => `complete -c swiotlb-replay -n 'test (__swiotlb_replay_command none) = none' -a ${name} -d ${quoted(summary)}`).join('\n')}
${commands.flatMap(commandLines).join('\n')}
`;
}

function commandLines({ name, options, argument }: CommandShape, index: number): string[] {
  // Without a command, the first is meant.
  const none = index === 0 ? name : 'none';
  const head = `complete -c swiotlb-replay -n 'test (__swiotlb_replay_command ${none}) = ${name}'`;
  const lines = options.map((option) => `${head}${optionWords(option)}`);
  return argument === undefined ? lines : [`${head} ${argumentWords(argument)}`, ...lines];
}

function optionWords({ long, short, description, value, isOptional }: OptionShape): string {
  const forms = `${short === undefined ? '' : ` -s ${short.slice(1)}`} -l ${long.slice(2)}`;
  return `${forms}${value === undefined || isOptional ? '' : ` ${valueWords(value)}`} -d ${quoted(description)}`;
}

function argumentWords(value: Value): string {
  return value.kind === 'file' ? '-F' : `-f -a ${quoted(wordsOf(value))}`;
}

function valueWords(value: Value): string {
  switch (value.kind) {
    case 'file':
      return '-r -F';
    case 'free':
      return '-x';
    case 'releases':
      return `-r -F -a ${quoted(wordsOf(value))}`;
    case 'words':
      return `-x -a ${quoted(wordsOf(value))}`;
  }
}

function wordsOf(value: Value): string {
  return 'words' in value ? value.words.join(' ') : '';
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
