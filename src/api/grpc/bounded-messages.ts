import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { PACKAGE, protoRegistry } from "../../messages/descriptors.js";
import { faultOfRequest } from "../bounded-request.js";
import { statusOf } from "./failure-metadata.js";

/**
 * Refuses requests that hold a text, a list or a map beyond the table of limits, as the JSON
 * Schemas do for HTTP. Calls of services that are not ours pass.
 */
export function boundedMessages(): ServerInterceptor {
  const types = requestTypes();
  return (method, call) => {
    const type = types.get(method.path);
    if (type === undefined) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMessage: (message, pass) => {
            const fault = faultOfRequest(type, message);
            if (fault === undefined) return pass(message);
            call.sendStatus(statusOf(fault));
          },
        }),
    });
  };
}

/** Names of the messages that methods take, by the methods' paths. */
function requestTypes(): ReadonlyMap<string, string> {
  const services = [...protoRegistry()].filter(
    (type) => type.kind === "service" && type.typeName.startsWith(PACKAGE),
  );
  const methods = services.flatMap((service) =>
    service.kind === "service" ? service.methods : [],
  );
  return new Map(
    methods.map(({ parent, name, input }) => [`/${parent.typeName}/${name}`, input.name]),
  );
}
