import type { IommuFaultFact } from '../../events/logFacts.js';

/*
 * arm-smmu-v3 fc900000.iommu: event 0x10 received:
 * arm-smmu-v3 fc900000.iommu:      0x0000010000000010     four words
 * arm-smmu-v3 fc900000.iommu: event: F_TRANSLATION client: 0000:01:00.0 sid: 0x100 ssid: 0x0 iova: 0x90000f040 ipa: 0x0
 * (XEN) SMMUv3: /smmuv3@9050000: event 0x10 received:
 */
const HEADER = /(?:^|\s)(\S{1,256}): event 0x([0-9a-f]{2}) received:/;
const WORD = /(?:^|\s)(\S{1,256}):\s{1,16}0x([0-9a-f]{16})\s*$/;
const EVENT =
  /(?:^|\s)(\S{1,256}): event: (\w{1,32}) client: (.{1,256}?) sid: (0x[0-9a-f]{1,8}) ssid: 0x[0-9a-f]{1,8} iova: (0x[0-9a-f]{1,16})/;

/** Events by their number, in the words of the architecture. */
const EVENTS: Record<string, string> = {
  '02': 'C_BAD_STREAMID',
  '04': 'C_BAD_STE',
  '06': 'F_STREAM_DISABLED',
  '10': 'F_TRANSLATION',
  '11': 'F_ADDR_SIZE',
  '12': 'F_ACCESS',
  '13': 'F_PERMISSION',
};

/** A reader of the events of an SMMUv3, each of which is five to seven records. */
export interface SmmuV3Reader {
  /** @returns the fact that a record completes; true if it told something; false if it is not ours */
  read(text: string, line: number, time: number | undefined): IommuFaultFact | boolean;
  /** The last event, if nothing has come after its words. */
  rest(): IommuFaultFact | undefined;
}

/** Joins the four words of an event, and what 6.15 and later say of it in plain text. */
export function createSmmuV3Reader(): SmmuV3Reader {
  let unit = '';
  let number = '';
  let words: bigint[] = [];
  let place = { line: 0, time: undefined as number | undefined };

  function rest(): IommuFaultFact | undefined {
    if (words.length < 4) return undefined;
    const [first, second, iova] = words;
    words = [];
    const device = `${unit} stream 0x${(first >> 32n).toString(16)}`;
    return { ...eventFact(number, device, iova, second), ...place };
  }

  return {
    rest,
    read(text, line, time) {
      const word = WORD.exec(text);
      if (word !== null && word[1] === unit && words.length < 4) {
        words.push(BigInt(`0x${word[2]}`));
        return true;
      }
      const header = HEADER.exec(text);
      if (header !== null) {
        const before = rest();
        [, unit, number] = header;
        place = { line, time };
        words = [];
        return before ?? true;
      }
      const event = EVENT.exec(text);
      if (event === null) return false;
      const [, name, , client, sid, iova] = event;
      const isSame = name === unit && words.length === 4;
      const second = isSame ? words[1] : undefined;
      if (!isSame) place = { line, time };
      words = [];
      const device = client.startsWith('(') ? `${name} stream ${sid}` : client;
      return { ...eventFact(event[2], device, BigInt(iova), second), ...place };
    },
  };
}

/** Bit 35 of the second word is RnW. */
function eventFact(
  event: string,
  device: string,
  address: bigint,
  second: bigint | undefined,
): Omit<IommuFaultFact, 'line' | 'time'> {
  const read = second === undefined ? undefined : (second >> 35n) & 1n;
  const access: IommuFaultFact['access'] =
    read === undefined ? undefined : read === 1n ? 'read' : 'write';
  const reason = EVENTS[event] ?? (event.length === 2 ? `event 0x${event}` : event);
  return { kind: 'iommu-fault', unit: 'SMMUv3', device, address, access, reason };
}
