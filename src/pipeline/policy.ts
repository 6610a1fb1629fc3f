/** What is asked of the allocator, as a policy's functions get it: a new object every time. */
export interface PolicyRequest {
  /**
   * Physical address of the original buffer, a whole number below 2^53; 0 for swiotlb_alloc(), which
   * has none, and NaN where the trace does not tell.
   */
  origAddr: number;
  /** Bytes of the buffer (mapping_size); of swiotlb_alloc(), the size asked for. */
  mappingSize: number;
  /** Bytes to allocate (alloc_size), for releases up to v6.9. */
  allocSize: number;
  /** 0 to 0xffffffff. */
  allocAlignMask: number;
  /** The device's min_align_mask, 0 to 0xffffffff. */
  minAlignMask: number;
  /** PAGE_SIZE in bytes. */
  pageSize: number;
}

/** What `size` decides. */
export interface PolicySize {
  /** Bytes from the start of the first slot to the data. */
  offset: number;
  /** Bytes that the slots must hold, offset included. */
  totalSize: number;
}

/** What `plan` is asked: a request whose size is decided. */
export interface SizedPolicyRequest extends PolicyRequest, PolicySize {
  /** Slots to find. */
  nslots: number;
}

/** What `plan` decides. */
export interface PolicyPlan {
  /** Slots from one aligned candidate to the next. */
  stride: number;
  /** Bits that must be zero in a candidate's address; 32 bits. */
  clearMask: number;
  /** Bits in which a candidate's address must equal `origAddr`; 32 bits. 0 where there is no origAddr. */
  matchMask: number;
  /**
   * The loop of v6.2 and before, which rounds its start up to the stride and ends when it is there
   * again, if ever; else the area's slots are counted.
   */
  endsAtStart: boolean;
}

/**
 * An experimental allocator: a release in which some decisions are made by functions of yours. They
 * may be called any number of times for a request, so they must keep nothing from call to call.
 */
export interface Policy {
  /** What it is called in reports, behind the release: `v6.8+NAME`. */
  name: string;
  /** The release that decides all else, as `--kernel` takes it. */
  base: string;
  /** What sets it apart, in a line. */
  summary?: string;
  /**
   * Offset and size of a map; swiotlb_alloc() has the size that was asked for. What is left out of the
   * result is the base's.
   * @param base what the base decides
   */
  size?(request: PolicyRequest, base: PolicySize): Partial<PolicySize>;
  /**
   * Masks and stride of a search. What is left out of the result is the base's.
   * @param base what the base decides for a request of that size
   */
  plan?(request: SizedPolicyRequest, base: PolicyPlan): Partial<PolicyPlan>;
  /**
   * alloc_align_mask that swiotlb_alloc() searches with, 0 to 0xffffffff.
   * @param size bytes asked for
   * @param base what the base decides
   */
  coherentAlignMask?(size: number, pageSize: number, base: number): number;
  /** swiotlb_alloc() gives back and refuses what does not start on a page. */
  refusesUnalignedPages?: boolean;
  /** Where it comes from, for messages; loadPolicy() sets it. */
  file?: string;
}

/** Is told when a policy's function is called and when it is back. */
export interface PolicyWatch {
  onCall(policy: Policy, name: PolicyFunction, line: number): void;
  onReturn(): void;
}

/** The functions that a policy may have. */
export type PolicyFunction = 'size' | 'plan' | 'coherentAlignMask';

/** What a policy is called in messages. */
export function policyTitle({ file, name }: Policy): string {
  return file ?? `policy ${name}`;
}
