import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Whether only this machine reaches what listens on the host. */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  const address = host.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) === 0) return false;
  return LOOPBACK.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

/** "10.0.0.5:9" → "10.0.0.5", "[::1]:9" → "::1"; what has no port stays as it is. */
export function hostOf(address: string): string {
  const [, v6, host] = /^(?:ipv[46]:)?(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(address) ?? [];
  return v6 ?? host ?? address;
}

/** An address of this machine for a host that means all of them. */
export function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

/** A host as it stands before a port: "::1" → "[::1]". */
export function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
