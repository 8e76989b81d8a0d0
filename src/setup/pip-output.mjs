import { megabytes } from "./progress.mjs";

/**
 * Turns pip's lines into what it is doing and how far it is.
 *
 * @param {number} numPackages how many packages the lock files name
 * @param {(text: string) => void} show
 * @returns {(line: string) => void}
 */
export function createPipReader(numPackages, show) {
  let numSeen = 0;
  let current = "";
  return (line) => {
    const named = line.match(/^(?:Collecting|Processing|Requirement already satisfied:) (\S+)/);
    if (named?.[1]) {
      if (line.includes("(line ")) numSeen += 1;
      current = `${shortName(named[1])} (${Math.min(numSeen, numPackages)} of ${numPackages})`;
      show(current);
    }
    const download = line.match(/^Progress (\d+) of (\d+)/);
    if (download && Number(download[2]) > 0) {
      show(`${current}: ${megabytes(Number(download[1]))} of ${megabytes(Number(download[2]))} MB`);
    }
    const unpacked = line.match(/^Installing collected packages: (.*)/);
    if (unpacked?.[1]) show(`unpacking ${unpacked[1].split(",").length} packages`);
    if (line.includes("Retrying (Retry")) show("the package index does not answer, retrying");
  };
}

/** `torch==2.13.0` and `/wheels/torch-2.13.0-cp311.whl` → `torch 2.13.0`. @param {string} name */
function shortName(name) {
  const file = name.split("/").at(-1) ?? name;
  return file.replace(/^([^-]+)-([^-]+)-.*\.whl$/, "$1 $2").replace("==", " ");
}
