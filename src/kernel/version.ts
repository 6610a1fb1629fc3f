/** A kernel's version, read from what a user types or from what the kernel itself prints. */
export interface KernelVersion {
  major: number;
  minor: number;
  /** Patch level of a stable version: 23 of 6.6.23. 0 and undefined are the mainline tag. */
  patch: number | undefined;
  /** `-rc3` of a release candidate, else empty. */
  candidate: string;
  /** The name counts a distributor's builds, and not the stable version that they are made of. */
  hidesPatch: boolean;
  /** What stands behind the version: whoever put it there may have patched the kernel too. */
  suffix: string;
}

/**
 * The version in a kernel's name: a tag (`v6.7`, `6.9-rc3`), a stable version (`6.6.23`), or what
 * uname prints, `-r` alone (`6.8.5-301.fc40.x86_64`), `-rv` or `-a`. Also takes the first line of a
 * boot log, /proc/version, and Ubuntu's /proc/version_signature.
 * @returns undefined for what is no version
 */
export function readVersion(text: string): KernelVersion | undefined {
  // Debian's builds tell the stable version behind the name: `#1 SMP Debian 6.1.192-2 (...)`. The
  // compiler, earlier in /proc/version, is a "Debian 12.2.0-14" too.
  const debian = /#\d.{0,400}\bDebian (?:\d{1,9}:)?(\d{1,9}\.\d{1,9}\.\d{1,9})(-\S+)/.exec(text);
  if (debian !== null) return readName(debian[1], ` Debian ${debian[1]}${debian[2]}`);
  const words = text
    .replace(/^\s*\[[^\]]*\]/, '')
    .trim()
    .split(/\s+/);
  if (words[0] === 'Ubuntu' && words.length === 3) return readName(words[2], ` Ubuntu ${words[1]}`);
  return readName(words[0] === 'Linux' && words.length > 2 ? words[2] : words[0]);
}

function readName(name: string, builder?: string): KernelVersion | undefined {
  const parts = /^v?(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?(-rc\d+)?(.*)$/.exec(name);
  if (parts === null) return undefined;
  const [, major, minor, patch, candidate = '', suffix] = parts;
  // `v6.8+name` is a patched row, known or not; `6.8+name` with a level is Debian's and others'.
  const allowed = patch === undefined ? /^-[\w.+~-]*$/ : /^[-+._][\w.+~-]*$/;
  if (suffix !== '' && !allowed.test(suffix)) return undefined;
  return {
    major: Number(major),
    minor: Number(minor),
    patch: patch === undefined ? undefined : Number(patch),
    candidate,
    hidesPatch: hidesPatch(patch, candidate, suffix),
    suffix: builder ?? suffix,
  };
}

/**
 * Debian's `6.1.0-56-amd64` and `6.10-amd64`, Ubuntu's `6.8.0-45-generic` and Raspberry Pi's
 * `6.1.0-rpi7-rpi-v8` say 6.1.0 and the like whatever 6.1.y is in them. A build of the tag's own
 * tree does not count that way: `6.8.0-dirty`, `6.8.0-00123-gabcdef012345`, `6.9.0-arch1-1`.
 */
function hidesPatch(patch: string | undefined, candidate: string, suffix: string): boolean {
  if (candidate !== '' || suffix === '') return false;
  if (patch === undefined) return true;
  const ofGit = /^-\d+-g[0-9a-f]{7,}/.test(suffix);
  return Number(patch) === 0 && !ofGit && /^-(\d|rpi)/.test(suffix);
}
