// The first file of every npm script. It runs before any package is installed and on any Node, so
// it loads nothing before the version is known to be new enough.
const OLDEST_NODE = 20;
// Read first, since the parent might end while anything else runs.
const parent = process.ppid;

if (Number.parseInt(process.versions.node, 10) >= OLDEST_NODE) {
  import("./commands.mjs").then(({ runCommand }) => runCommand(process.argv.slice(2), parent));
} else {
  console.error(
    `Stillhouse needs Node ≥ ${OLDEST_NODE}, and this is ${process.versions.node} (${process.execPath}). Install a newer one from https://nodejs.org, or with: nvm install ${OLDEST_NODE}`,
  );
  process.exitCode = 1;
}
