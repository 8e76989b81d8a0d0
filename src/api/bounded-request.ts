import { invalid, type StillhouseError } from "../errors.js";
import { boundMessage } from "../messages/bound-message.js";
import { withoutSpec } from "../settings/field-path.js";

/**
 * What is wrong with a request of a client, in either protocol: a text, a list or a map
 * beyond the table of limits, or a time that cannot be stored.
 *
 * @param type name of the message in the protos, without its package
 */
export function faultOfRequest(type: string, request: object): StillhouseError | undefined {
  const fault = boundMessage(type, request);
  if (fault === undefined) return undefined;
  return invalid(withoutSpec(fault.field), withoutSpec(fault.sentence));
}
