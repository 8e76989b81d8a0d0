import { ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import { GuardedCall } from "../../security/guarded-call.js";
import { UNNAMED } from "../../security/identity.js";
import { hostOf } from "../../security/network.js";
import { ownRequest } from "../../security/own-request.js";
import type { Security } from "../../security/security.js";
import { setCaller } from "./caller.js";
import { kindOf, statusOf } from "./failure-metadata.js";

/**
 * Lets in only calls that may be made, and leaves a line in the audit log for each change. What is
 * made belongs to the caller, see `ownRequest`.
 */
export function guard(
  security: Pick<Security, "authenticator" | "limits" | "audit" | "folders">,
): ServerInterceptor {
  return (method, call) => {
    const guarded = new GuardedCall(security, {
      method: method.path,
      from: hostOf(call.getPeer()),
    });
    let identity = UNNAMED;
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const authorization = metadata.get("authorization")[0]?.toString();
            // It is of no use further in, where it could only end in a log.
            metadata.remove("authorization");
            const isStream = method.requestStream || method.responseStream;
            guarded.admit(authorization, isStream).then(
              (admitted) => {
                identity = admitted;
                setCaller(metadata, identity);
                pass(metadata);
              },
              (error) => {
                guarded.end(error);
                call.sendStatus(statusOf(error));
              },
            );
          },
          onReceiveMessage: (message, pass) => {
            guarded.about(message);
            try {
              pass(ownRequest(message, identity, security.folders));
            } catch (error) {
              guarded.end(error);
              call.sendStatus(statusOf(error));
            }
          },
          onCancel: () => guarded.endWith("CANCELLED"),
        }),
      sendMessage: (message, pass) => {
        guarded.about(message);
        pass(message);
      },
      sendStatus: (outcome, pass) => {
        guarded.endWith(outcome.code === status.OK ? "ok" : kindOf(outcome));
        pass(outcome);
      },
    });
  };
}
