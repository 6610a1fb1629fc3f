/** Values of options that take no fixed choices, by name; good ones, odd ones, and hostile ones. */
const VALUES = {
  kernel: [
    'v5.10',
    'v5.15',
    'v6.1',
    'v6.3',
    'v6.6',
    'v6.8',
    'v6.9',
    'v6.12',
    'v7.2',
    'v6.8+will-v1',
    'latest',
    'recorded',
    '6.1.0-56-amd64',
    '5.14.0-503.el9',
    'v99',
    '\u001b[31m',
  ],
  'page-size': ['4096', '16K', '64K', '1234', '-1'],
  pool: [
    'base=0x97ff0000,nslabs=7168',
    'nslabs=128,areas=4',
    'name=restricted0,base=0x1000000,nslabs=512,restricted=1',
    'nslabs=0',
    'areas=3',
    'nslabs=16777216',
    'x=1',
    'index=5:6',
  ],
  swiotlb: [
    '32768',
    '128',
    '65536,8,force',
    'default',
    'guest=16G',
    'halved=3',
    '0',
    '99999999999999',
  ],
  device: [
    '*:min_align_mask=0xfff',
    '0000:*:untrusted=1',
    'd:seg_boundary_mask=0xffff',
    '*:dma_mask=0xffffffff',
    '*:pool=restricted0',
    '**********a:min_align_mask=1',
    ':',
    '*:x',
  ],
  iommu: ['granule=16384', 'lazy=1', 'granule=4096,lazy=0', 'granule=3', '__proto__=1'],
  line: ['1', '2', '17', '0', '999999'],
  'fail-on': ['error', 'warning', 'never', 'x'],
  shard: ['1/2', '2/2', '3/2', 'x'],
  by: ['findings', 'addresses'],
  seed: ['1', '42'],
  events: ['1', '100', '-5'],
  scale: ['1.5', '2', '64', '0.5'],
  cpus: ['1', '3', '64', '0'],
  sweep: ['nslabs=64..4096', 'nslabs=128|512,areas=1|4,kernel=v5.10|v6.1|v6.12', 'nslabs=0', 'x'],
};
const OTHERS = ['1', '0', '-1', 'x', '2', '1..3', '', '100', '0x1000', '*'];

/** Options that would write where nobody asked for it, or make a case slow. */
const NEVER = new Set([
  '--file',
  '--report',
  '--update',
  '--workload',
  '--help',
  '--html',
  '--plot',
  '--jobs',
  '--events',
  '--duration',
]);

/** Commands that take a word which is no trace. */
const NO_TRACES = new Set(['completion', 'help']);

function argumentOf(random, option, other) {
  const name = option.long.slice(2).replace(/^(old|new)-/, '');
  if (option.argChoices !== undefined && !random.chance(3)) return random.pick(option.argChoices);
  if (name === 'dmesg') return other;
  if (name === 'old' || name === 'new') return random.pick(VALUES.kernel);
  return random.pick(Object.hasOwn(VALUES, name) ? VALUES[name] : OTHERS);
}

/**
 * A command line of the program over a trace.
 * @param program commander's, which knows all commands and options
 */
export function commandLine(random, program, trace, other) {
  const commands = program.commands.filter(
    (each) => each.registeredArguments.length > 0 && !NO_TRACES.has(each.name()),
  );
  const command = random.chance(50)
    ? random.pick(commands.filter((each) => ['replay', 'verify', 'diagnose'].includes(each.name())))
    : random.pick(commands);
  const words = [command.name(), trace];
  if (random.chance(5)) words.push(other);
  const options = command.options.filter(({ long }) => !NEVER.has(long));
  for (let n = random.below(4); n > 0; n--) {
    const option = random.pick(options);
    words.push(option.long);
    if (option.required) words.push(argumentOf(random, option, other));
  }
  for (const option of options.filter(
    ({ mandatory, long }) => mandatory && !words.includes(long),
  )) {
    words.push(option.long, argumentOf(random, option, other));
  }
  if (command.name() === 'explain' && !words.includes('--line'))
    words.push('--line', random.pick(VALUES.line));
  if (command.name() === 'diff' && !words.includes('--new'))
    words.push('--old', 'v6.8', '--new', 'v6.9');
  return words;
}
