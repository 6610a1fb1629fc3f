import type { CommandShape, OptionShape, Value } from './shape.js';

/** A script that completes command lines in zsh, to be read at once or to lie in a folder of $fpath. */
export function zshScript(commands: readonly CommandShape[]): string {
  const [first] = commands;
  return `#compdef swiotlb-replay

_swiotlb_replay_first() {
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join('\n')}
  )
  _describe -t commands command commands
  _files
}

_swiotlb_replay() {
  local word
  for word in "\${(@)words[2,CURRENT - 1]}"; do
    case $word in
${commands.map(commandCase).join('\n')}
      (-*) ;;
      (*) break ;;
    esac
  done
  _arguments -S \\
    ${[...first.options.map(optionSpec), quoted('*: :_swiotlb_replay_first')].join(' \\\n    ')}
}

if [[ $funcstack[1] == _swiotlb-replay ]]; then
  _swiotlb_replay "$@"
else
  compdef _swiotlb_replay swiotlb-replay
fi
`;
}

function commandCase({ name, options, argument }: CommandShape): string {
  const rest = argument === undefined ? [] : [quoted(`*: :${action(argument)}`)];
  const specs = [...options.map(optionSpec), ...rest];
  return `      (${name})
        shift words
        ((CURRENT--))
        _arguments -S \\
          ${specs.join(' \\\n          ')}
        return
        ;;`;
}

/** `'*--file[what it is]: :_files'`. */
function optionSpec({ long, short, description, value, isOptional }: OptionShape): string {
  const words = description.replaceAll('\\', '\\\\').replace(/[[\]:]/g, '\\$&');
  const after = value === undefined ? '' : `${isOptional ? '::' : ':'} :${action(value)}`;
  const forms = short === undefined ? [long] : [short, long];
  // Options may stand several times: which may not, the program says.
  return forms
    .map((form) => (value !== undefined && form === long ? `${form}=` : form))
    .map((form) => quoted(`*${form}[${words}]${after}`))
    .join(' ');
}

function action(value: Value): string {
  switch (value.kind) {
    case 'file':
      return '_files';
    case 'free':
      return ' ';
    default:
      return `(${value.words.join(' ')})`;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
