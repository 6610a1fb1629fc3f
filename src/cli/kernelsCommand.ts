import { Command } from 'commander';
import { RELEASES } from '../kernel/releases.js';

/** `kernels`: the table of releases. */
export function kernelsCommand(): Command {
  return new Command('kernels')
    .summary('list the releases that can be replayed')
    .description('List the releases whose allocator can be replayed, and how they differ.')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) => {
      process.stdout.write(options.json ? kernelsJson() : kernelsText());
    });
}

function kernelsText(): string {
  return RELEASES.map(({ name, summary, commits }) =>
    [
      `${name}: ${summary}`,
      ...commits.map(({ id, subject }) => `  ${id.padEnd(12)}  ${subject}`),
    ].join('\n'),
  )
    .join('\n\n')
    .concat('\n');
}

function kernelsJson(): string {
  const kernels = RELEASES.map(
    ({ name, kind, summary, commits, takesAllocSize, maxMappingSize }) => ({
      name,
      kind,
      summary,
      commits,
      takesAllocSize,
      maxMappingSize: maxMappingSize(0),
    }),
  );
  return `${JSON.stringify({ schema: 'swiotlb-replay/kernels@1', kernels })}\n`;
}
