import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import {
  type ChannelCredentials,
  type ClientOptions,
  credentials,
  InterceptingCall,
  type Interceptor,
} from "@grpc/grpc-js";
import { invalid } from "../errors.js";
import { hostOf, isLoopback } from "../security/network.js";
import { CHANNEL_OPTIONS } from "./grpc/limits.js";

/** The address of a control plane and the keys to connect to it. Texts in PEM. */
export interface Endpoint {
  /** HOST:PORT. */
  readonly address: string;
  /** Certificate of the authority that the server's is checked against; absent: no TLS. */
  readonly authority?: string;
  /** For a server that asks clients for a certificate. */
  readonly certificate?: string;
  readonly key?: string;
  /** Bearer token. */
  readonly token?: string;
  /** Name in the server's certificate, where it is not that of the address. */
  readonly serverName?: string;
}

export interface Channel {
  readonly address: string;
  readonly credentials: ChannelCredentials;
  readonly options: ClientOptions;
}

/**
 * What a generated client is made of.
 *
 * @throws INVALID for a token that would travel in the open, or keys that are none
 */
export function channelOf(endpoint: Endpoint): Channel {
  const { address, token, serverName = nameForAddress(address) } = endpoint;
  if (token !== undefined && endpoint.authority === undefined && !isLoopback(hostOf(address))) {
    throw invalid(
      "",
      `a token is sent only over TLS, and ${address} is another machine; give the certificate of its authority with --ca FILE`,
    );
  }
  return {
    address,
    credentials: credentialsOf(endpoint),
    options: {
      ...CHANNEL_OPTIONS,
      ...(serverName === undefined ? {} : { "grpc.ssl_target_name_override": serverName }),
      ...(token === undefined ? {} : { interceptors: [bearer(token)] }),
    },
  };
}

/**
 * TLS does not allow a client to request a server by an IP address, so it requests another name;
 * the certificate is checked against the address.
 */
function nameForAddress(address: string): string | undefined {
  return isIP(hostOf(address)) === 0 ? undefined : "localhost";
}

function credentialsOf(endpoint: Endpoint): ChannelCredentials {
  const { address, authority, certificate, key, serverName = hostOf(address) } = endpoint;
  if (authority === undefined) {
    if (certificate === undefined && key === undefined) return credentials.createInsecure();
    throw invalid("", "a client's certificate also needs --ca FILE, the authority of the server");
  }
  if ((certificate === undefined) !== (key === undefined)) {
    throw invalid("", "a client's certificate needs its key; give both --cert and --key");
  }
  const bytes = (text: string | undefined) => (text === undefined ? null : Buffer.from(text));
  try {
    return credentials.createSsl(Buffer.from(authority), bytes(key), bytes(certificate), {
      checkServerIdentity: (_name, peer) => checkServerIdentity(serverName, peer),
    });
  } catch (error) {
    throw invalid("", `the certificates or the key cannot be used: ${(error as Error).message}`);
  }
}

function bearer(token: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        metadata.set("authorization", `Bearer ${token}`);
        next(metadata, listener);
      },
    });
}
