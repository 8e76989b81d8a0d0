import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

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

/** Under which other machines reach a host that means all addresses of this one; of others none. */
export function addressesFor(host: string): string[] {
  if (reachable(host) === host) return [];
  const isReached = ({ internal, family }: NetworkInterfaceInfo) =>
    !internal && (family === "IPv4" || host === "::");
  const found = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return found
    .filter((entry) => isReached(entry) && !isLinkLocal(entry))
    .map(({ address }) => address);
}

/** It needs the name of an interface beside it. */
function isLinkLocal({ address }: NetworkInterfaceInfo): boolean {
  return address.startsWith("fe80:");
}

/** A host as it stands before a port: "::1" → "[::1]". */
export function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
