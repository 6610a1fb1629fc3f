import type { CommandShape, OptionShape, Value } from './shape.js';

/** A script that completes command lines in bash. */
export function bashScript(commands: readonly CommandShape[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  return `# bash completion for swiotlb-replay
_swiotlb_replay() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} command='' word
  COMPREPLY=()
  # --option=value comes as three words.
  if [[ $cur == '=' ]]; then
    cur=''
  elif [[ $prev == '=' ]]; then
    prev=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      ${names.replaceAll(' ', '|')}) command=$word && break ;;
      -*) ;;
      *) break ;;
    esac
  done
  case \${command:-${commands[0].name}}:$prev in
${optionCases(commands)}
  esac
  case \${command:-${commands[0].name}} in
${commands.map(commandCase).join('\n')}
  esac
  if [[ -z $command && $cur != -* ]]; then
    _swiotlb_replay_words "$cur" ${names}
  fi
}

_swiotlb_replay_words() {
  local cur=$1 word
  shift
  for word in "$@"; do
    if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
  done
}

# Where nothing is offered, a file is meant.
complete -o default -F _swiotlb_replay swiotlb-replay
`;
}

/** What follows an option, for all that take the same. */
function optionCases(commands: readonly CommandShape[]): string {
  const patterns = new Map<string, string[]>();
  for (const { name, options } of commands) {
    for (const option of options) {
      if (option.value === undefined) continue;
      const offer = `${offerOf(option.value)}\n      return ;;`;
      const own = flagsOf(option).map((flag) => `${name}:${flag}`);
      patterns.set(offer, [...(patterns.get(offer) ?? []), ...own]);
    }
  }
  return [...patterns]
    .map(([offer, own]) => `    ${own.join(' | \\\n      ')})\n      ${offer}`)
    .join('\n');
}

function commandCase({ name, options, argument }: CommandShape): string {
  return `    ${name})
      if [[ $cur == -* ]]; then
        _swiotlb_replay_words "$cur" ${options.flatMap(flagsOf).join(' ')}
      else
        ${argument === undefined ? NOTHING : offerOf(argument)}
      fi
      ;;`;
}

const NOTHING = 'compopt +o default';

function offerOf(value: Value): string {
  if (value.kind === 'file') return ': a file';
  return value.kind === 'free' ? NOTHING : `_swiotlb_replay_words "$cur" ${value.words.join(' ')}`;
}

function flagsOf({ long, short }: OptionShape): string[] {
  return short === undefined ? [long] : [long, short];
}
