// Runs command lines, given as JSON on standard input, one after the other; prints what each gave, and
// which options every command has, as JSON.
import { readFileSync } from 'node:fs';
import { program, runProgram } from './run.mjs';

const runs = [];
for (const words of JSON.parse(readFileSync(0, 'utf8'))) {
  runs.push({ words, ...(await runProgram(words)) });
}
const commands = program.commands.map((command) => ({
  name: command.name(),
  options: command.options.map(({ long, argChoices = [] }) => ({ long, choices: argChoices })),
}));
process.stdout.write(JSON.stringify({ runs, commands }));
