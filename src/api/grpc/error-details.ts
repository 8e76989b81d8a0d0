import { FailureKind } from "../../errors.js";
import type { Any } from "../../generated/google/protobuf/any.js";
import { BadRequest, ErrorInfo, RetryInfo } from "../../generated/google/rpc/error_details.js";
import { Status } from "../../generated/google/rpc/status.js";
import type { Failure } from "../../generated/stillhouse/v1/failure.js";

const DOMAIN = "stillhouse";

/** Seconds after which a call that failed for what passes may be made again. */
const RETRY_AFTER_S: Partial<Record<FailureKind, number>> = {
  // A control plane that ends is started again, or another one takes its place.
  [FailureKind.UNAVAILABLE]: 2,
  [FailureKind.RATE_LIMITED]: 5,
  // A person frees space.
  [FailureKind.EXHAUSTED]: 30,
};

/** A failure as clients of any language know it: the bytes of a google.rpc.Status with details. */
export function richStatus(code: number, failure: Failure): Uint8Array {
  return Status.encode({ code, message: failure.message, details: detailsOf(failure) }).finish();
}

function detailsOf({ kind, message, field }: Failure): Any[] {
  const reason = kind.replace("FAILURE_KIND_", "");
  const info = ErrorInfo.fromPartial({ reason, domain: DOMAIN });
  const details = [packed("ErrorInfo", ErrorInfo.encode(info).finish())];
  if (field !== "") {
    const violation = { field, description: message, reason };
    const badRequest = BadRequest.fromPartial({ fieldViolations: [violation] });
    details.push(packed("BadRequest", BadRequest.encode(badRequest).finish()));
  }
  const retryAfterS = RETRY_AFTER_S[kind];
  if (retryAfterS !== undefined) {
    const retry = RetryInfo.fromPartial({ retryDelay: { seconds: BigInt(retryAfterS) } });
    details.push(packed("RetryInfo", RetryInfo.encode(retry).finish()));
  }
  return details;
}

function packed(name: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value: Buffer.from(value) };
}
