import { X509Certificate } from "node:crypto";
import { isIPv6 } from "node:net";

/** DNS names and IP addresses that a certificate is for. */
export function subjectNames(certificate: string): string[] {
  const { subjectAltName = "" } = new X509Certificate(certificate);
  return subjectAltName
    .split(", ")
    .map((entry) => /^(?:DNS|IP Address):(\S+)$/.exec(entry)?.[1])
    .filter((name) => name !== undefined)
    .map(shortest);
}

/** 0:0:0:0:0:0:0:1 → ::1. */
export function shortest(host: string): string {
  return isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host;
}
