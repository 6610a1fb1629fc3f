import { Argument, type Command } from 'commander';
import { bashScript } from './completion/bash.js';
import { fishScript } from './completion/fish.js';
import { shapesOf } from './completion/shape.js';
import { zshScript } from './completion/zsh.js';
import { completeAll } from './program.js';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript };

type Shell = keyof typeof SCRIPTS;

/** `completion SHELL`: a script, made from the definitions of all commands. */
export function completionCommand(command: Command): void {
  command
    .description(
      'Print a script that completes commands, options and their values.\n\n' +
        'bash: swiotlb-replay completion bash > ~/.local/share/bash-completion/completions/swiotlb-replay\n' +
        'zsh:  swiotlb-replay completion zsh > _swiotlb-replay, in a folder of $fpath\n' +
        'fish: swiotlb-replay completion fish > ~/.config/fish/completions/swiotlb-replay.fish',
    )
    .addArgument(new Argument('<shell>', 'whose script').choices(Object.keys(SCRIPTS)))
    .action(async (shell: Shell) => {
      const program = command.parent ?? command;
      await completeAll(program);
      process.stdout.write(SCRIPTS[shell](shapesOf(program)));
    });
}
