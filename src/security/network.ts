import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** Whether only this machine can reach a server that listens on the host. */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  const address = host.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) === 0) return false;
  return LOOPBACK.check(address, isIPv4(address) ? "ipv4" : "ipv6");
}

/** "10.0.0.5:9" → "10.0.0.5", "[::1]:9" → "::1"; a text without a port is unchanged. */
export function hostOf(address: string): string {
  const [, v6, host] = /^(?:ipv[46]:)?(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(address) ?? [];
  return v6 ?? host ?? address;
}

/** An address at which this machine reaches the host, which may stand for all addresses. */
export function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "") return "127.0.0.1";
  return host === "::" ? "::1" : host;
}

/** Addresses at which other machines reach a host that stands for all addresses; else none. */
export function addressesFor(host: string): string[] {
  if (reachable(host) === host) return [];
  const isReached = ({ internal, family }: NetworkInterfaceInfo) =>
    !internal && (family === "IPv4" || host === "::");
  const found = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return found
    .filter((entry) => isReached(entry) && !isLinkLocal(entry))
    .map(({ address }) => address);
}

/** Such an address is only usable together with the name of an interface. */
function isLinkLocal({ address }: NetworkInterfaceInfo): boolean {
  return address.startsWith("fe80:");
}

/** A host as written before a port: "::1" → "[::1]". */
export function bracketed(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}
