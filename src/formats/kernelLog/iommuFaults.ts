import type { IommuFaultFact } from '../../events/logFacts.js';
import { type BareFact, bigintOf, type Recogniser } from './recogniser.js';

function fault(
  unit: IommuFaultFact['unit'],
  device: string | undefined,
  address: string | undefined,
  access: IommuFaultFact['access'],
  reason: string,
): BareFact {
  return { kind: 'iommu-fault', unit, device, address: bigintOf(address), access, reason };
}

/** AMD's EVENT_FLAG_PR: the page is there, so the permission was not; and EVENT_FLAG_RW. */
function amdFault(match: RegExpExecArray): BareFact {
  const { before, device, address, flags } = match.groups as Record<string, string | undefined>;
  const bits = Number.parseInt(flags ?? '', 16);
  const access = bits & 0x20 ? 'write' : 'read';
  const reason = bits & 0x10 ? 'the mapping does not allow it' : 'nothing is mapped there';
  return fault('AMD-Vi', before ?? device, address, access, `${reason} (flags 0x${flags})`);
}

/** The fault status register's bits TF, AFF and PF. */
function smmuFault(match: RegExpExecArray): BareFact {
  const { unit, fsr, iova, fsynr, stream } = match.groups as Record<string, string | undefined>;
  const status = Number.parseInt(fsr ?? '', 16);
  const reason =
    status & 2
      ? 'nothing is mapped there'
      : status & 8
        ? 'the mapping does not allow it'
        : 'a context fault';
  const access = Number.parseInt(fsynr ?? '', 16) & 0x10 ? 'write' : 'read';
  const device = stream === undefined ? unit : `${unit} stream 0x${stream}`;
  return fault('SMMUv2', device, iova, access, `${reason} (fsr 0x${fsr})`);
}

/*
 * DMAR: [DMA Write NO_PASID] Request device [3c:00.0] fault addr 0x3ff6e000 [fault reason 0x05] PTE Write access is not set
 * DMAR: [DMA Write] Request device [04:00.0] PASID ffffffff fault addr 69974000 [fault reason 05] PTE Write access is not set
 * smartpqi 0000:23:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0027 address=0xffffffffffcc0000 flags=0x0010]
 * AMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.1 domain=0x0020 address=0x0000000016edf810 flags=0x0030]
 * arm-smmu 15000000.iommu: Unhandled context fault: fsr=0x402, iova=0xfc401000, fsynr=0x60003, cbfrsynra=0x121, cb=38
 * (XEN) smmu: /axi/smmu@fd800000: Unhandled context fault: fsr=0x402, iova=0xf9030040, fsynr=0x12, cb=0
 * io_page_fault: IOMMU:ath12k_pci 0000:c2:00.0 iova=0x00000000fe980000 flags=0x0001
 */
export const IOMMU_FAULTS: readonly Recogniser[] = [
  {
    literal: 'Request device [',
    pattern:
      /DMAR: ?\[(?:DMA )?(?<access>Read|Write)[^\]]{0,40}\] Request device \[(?<device>[0-9a-fx:.]{5,20})\](?: PASID [0-9a-fx]{1,10})? fault addr (?<address>(?:0x)?[0-9a-f]{1,16})(?: \[fault reason (?<code>(?:0x)?[0-9a-f]{1,3})\] ?(?<reason>.{0,100}))?/,
    fact(match) {
      const { access, device, address, code, reason } = match.groups as Record<string, string>;
      const name = device.replaceAll('0x', '');
      const words = reason?.trim() || 'no reason given';
      return fault(
        'VT-d',
        name,
        address,
        access === 'Write' ? 'write' : 'read',
        code === undefined ? words : `${words} (reason 0x${code.replace('0x', '')})`,
      );
    },
  },
  {
    literal: '[IO_PAGE_FAULT ',
    pattern:
      /(?:^|\s)(?:(?<before>\S{1,256}): )?AMD-Vi: Event logged \[IO_PAGE_FAULT (?:device=(?<device>\S{1,20}) )?domain=0x[0-9a-f]{1,8} address=(?<address>0x[0-9a-f]{1,16}) flags=0x(?<flags>[0-9a-f]{1,8})\]/,
    fact: amdFault,
  },
  {
    literal: 'Unhandled context fault: ',
    pattern:
      /(?:^|\s)(?<unit>\S{1,256}): Unhandled context fault: fsr=0x(?<fsr>[0-9a-f]{1,8}), iova=(?<iova>0x[0-9a-f]{1,16}), fsynr=0x(?<fsynr>[0-9a-f]{1,8})(?:, cbfrsynra=0x(?<stream>[0-9a-f]{1,8}))?/,
    fact: smmuFault,
  },
  {
    literal: 'io_page_fault: IOMMU:',
    pattern:
      /io_page_fault: IOMMU:\S{0,64} (?<device>\S{1,256}) iova=(?<iova>0x[0-9a-f]{1,16}) flags=0x(?<flags>[0-9a-f]{1,8})/,
    fact({ groups }) {
      const access = Number.parseInt(groups?.flags ?? '', 16) & 1 ? 'write' : 'read';
      return fault('IOMMU', groups?.device, groups?.iova, access, 'reported by its driver');
    },
  },
];
