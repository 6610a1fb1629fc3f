import type { Command } from 'commander';
export function completionCommand(command: Command): void {
  command.description('x');
}
