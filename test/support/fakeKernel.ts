import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { inTempDir } from './reading.js';

/** A machine that a script believes to be root on. */
export interface FakeKernel {
  /** What `uname -r` prints. */
  release?: string | undefined;
  machine?: string | undefined;
  /** Shell pattern of event definitions that this kernel does not take. */
  rejects?: string | undefined;
  kallsyms?: string[];
  dmesg?: string | undefined;
  /** Missing: there is no bpftool. */
  bpftool?: string | undefined;
  /** Missing: there is no profile. */
  profile?: string | undefined;
  /** Text of tracefs `trace`, or what the tool prints. */
  trace?: string | undefined;
  nslabs?: number;
  dynamic?: boolean;
  /** Arguments of the script before its file and size. */
  seconds?: string;
}

/** What a run of a script left. */
export interface ScriptRun {
  status: number | null;
  stderr: string;
  /** Lines of dynamic_events, in their order: definitions, then removals. */
  events: string[];
  /** The archive, unpacked; undefined where there is none. */
  archive: string | undefined;
  /** The program that bpftrace was given. */
  program: string | undefined;
  /** Whether the instance was taken away. */
  instanceLeft: boolean;
  /** Command lines of the recording tools. */
  calls: string;
}

/** Runs a script of `capture` under sh, in a world of files and stand-ins for programs. */
export function runScript(script: string, kernel: FakeKernel = {}): Promise<ScriptRun> {
  return inTempDir(async (dir) => {
    const tracing = join(dir, 'sys/kernel/tracing');
    const file = (path: string, text = ''): void => {
      mkdirSync(join(dir, path, '..'), { recursive: true });
      writeFileSync(join(dir, path), text);
    };
    file('sys/kernel/tracing/dynamic_events');
    file('sys/kernel/tracing/error_log', 'what the kernel thinks of it\n');
    mkdirSync(join(tracing, 'instances'));
    if (kernel.profile !== undefined) file('sys/kernel/tracing/kprobe_profile', kernel.profile);
    file('sys/kernel/debug/swiotlb/io_tlb_nslabs', `${kernel.nslabs ?? 32768}\n`);
    file('sys/kernel/debug/swiotlb/io_tlb_used', '7\n');
    file('sys/kernel/btf/vmlinux');
    const symbols = kernel.kallsyms ?? ['io_tlb_default_mem', 'io_tlb_start', 'io_tlb_nslabs'];
    file('proc/kallsyms', symbols.map((name) => `ffffffff90000000 d ${name}\n`).join(''));
    file('proc/cmdline', 'root=/dev/vda swiotlb=force\n');
    file(
      `boot/config-${kernel.release ?? '6.12.1'}`,
      `CONFIG_SWIOTLB=y\n${kernel.dynamic ? '' : '# '}CONFIG_SWIOTLB_DYNAMIC=y\n`,
    );
    file('trace', kernel.trace);
    file('dmesg', kernel.dmesg ?? `[    0.000000] Linux version ${kernel.release ?? '6.12.1'}\n`);
    if (kernel.bpftool !== undefined) file('btf', kernel.bpftool);
    writeStandIns(dir, kernel);

    const world = script
      .replaceAll('/sys/kernel', `${dir}/sys/kernel`)
      .replaceAll('/proc/', `${dir}/proc/`)
      .replaceAll('/boot/', `${dir}/boot/`)
      .replace(
        'event() {',
        `event() { case $1 in ${kernel.rejects ?? 'nothing'}) return 1 ;; esac;`,
      );
    file('capture.sh', world);
    const { status, stderr } = spawnSync(
      'sh',
      ['capture.sh', kernel.seconds ?? '1', 'out.gz', '1024'],
      {
        cwd: dir,
        timeout: 30_000,
        encoding: 'utf8',
        env: { PATH: `${dir}/bin:${process.env.PATH}`, TMPDIR: dir },
      },
    );
    const text = (path: string): string | undefined =>
      existsSync(join(dir, path)) ? readFileSync(join(dir, path), 'utf8') : undefined;
    const archive = existsSync(join(dir, 'out.gz'))
      ? gunzipSync(readFileSync(join(dir, 'out.gz'))).toString()
      : undefined;
    return {
      status,
      stderr,
      archive,
      events: (text('sys/kernel/tracing/dynamic_events') ?? '').split('\n').filter(Boolean),
      program: text('program.bt'),
      instanceLeft: existsSync(join(tracing, 'instances/swiotlb-replay')),
      calls: text('calls') ?? '',
    };
  });
}

/** Programs that answer as on that machine. */
function writeStandIns(dir: string, kernel: FakeKernel): void {
  mkdirSync(join(dir, 'bin'));
  const release = kernel.release ?? '6.12.1';
  const programs: Record<string, string> = {
    id: 'echo 0',
    uname: `case $1 in -r) echo ${release} ;; -m) echo ${kernel.machine ?? 'x86_64'} ;;
      *) echo "Linux host ${release} #1 SMP x86_64 GNU/Linux" ;; esac`,
    getconf: 'case $1 in PAGESIZE) echo 16384 ;; *) echo 4 ;; esac',
    // What waits for Ctrl-C gets it at once.
    sleep: '[ "$1" != 86400 ]',
    timeout: 'shift 4; exec "$@"',
    dmesg: `cat ${dir}/dmesg`,
    journalctl: 'exit 1',
    mkdir: `/bin/mkdir "$@" && case $1 in */instances/*)
      /bin/mkdir -p "$1/events/swl" "$1/options" "$1/per_cpu/cpu0"
      echo "overrun: 3" >"$1/per_cpu/cpu0/stats"
      cp ${dir}/trace "$1/trace" ;; esac`,
    rmdir: `rm -r "$1"`,
    bpftool: `cat ${dir}/btf 2>/dev/null || exit 1`,
    bpftrace: `echo "bpftrace $*" >>${dir}/calls; cp "$3" ${dir}/program.bt; cp ${dir}/trace "$2"`,
    'trace-cmd': `echo "trace-cmd $*" >>${dir}/calls
      case $1 in report) cat ${dir}/trace ;; *)
      while [ "$1" != -o ]; do shift; done; echo data >"$2" ;; esac`,
    perf: `echo "perf $*" >>${dir}/calls
      case $1 in script) cat ${dir}/trace ;; *)
      while [ "$1" != -o ]; do shift; done; echo data >"$2" ;; esac`,
  };
  for (const [name, text] of Object.entries(programs)) {
    const path = join(dir, 'bin', name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  }
}
