import {
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerListener,
  status,
} from "@grpc/grpc-js";
import { GuardedCall } from "../../security/guarded-call.js";
import { UNNAMED } from "../../security/identity.js";
import { hostOf } from "../../security/network.js";
import { ownRequest } from "../../security/own-request.js";
import type { Security } from "../../security/security.js";
import { setCaller } from "./caller.js";
import { kindOf, statusOf } from "./failure-metadata.js";

/**
 * Admits only permitted calls, and writes a line into the audit log for each change. What a
 * call creates belongs to the caller, see `ownRequest`.
 */
export function guard(
  security: Pick<Security, "authenticator" | "limits" | "audit" | "folders">,
): ServerInterceptor {
  return (method, call) => {
    const guarded = new GuardedCall(security, {
      method: method.path,
      from: hostOf(call.getPeer()),
    });
    const refuse = (error: unknown) => {
      guarded.end(error);
      call.sendStatus(statusOf(error));
    };
    const isStream = method.requestStream || method.responseStream;
    return new ServerInterceptingCall(call, {
      start: (next) => next(listenerOf({ guarded, folders: security.folders, isStream, refuse })),
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

interface Listening {
  readonly guarded: GuardedCall;
  readonly folders: Security["folders"];
  readonly isStream: boolean;
  readonly refuse: (error: unknown) => void;
}

/** Admits the call by its token, and then passes on each request as the caller's own. */
function listenerOf({ guarded, folders, isStream, refuse }: Listening): ServerListener {
  let identity = UNNAMED;
  return {
    onReceiveMetadata: (metadata, pass) => {
      const authorization = metadata.get("authorization")[0]?.toString();
      // Nothing further in needs it, and it could end in a log.
      metadata.remove("authorization");
      const admit = async () => {
        identity = await guarded.admit(authorization, isStream);
        setCaller(metadata, identity);
        pass(metadata);
      };
      admit().catch(refuse);
    },
    onReceiveMessage: (message, pass) => {
      guarded.about(message);
      try {
        pass(ownRequest(message, identity, folders));
      } catch (error) {
        refuse(error);
      }
    },
    onCancel: () => guarded.endWith("CANCELLED"),
  };
}
