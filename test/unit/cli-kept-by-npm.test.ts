import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keptByNpm } from "../../src/cli/terminal/kept-by-npm.js";

const HELP = `Usage: npm run experiment -- [flags]

Data:
  --dataset <name>    A folder, or with --force a name
  --data-dir <folder> Folder of data sets
  --no-full           Without the full data
  --seeds <list>      Several; the set is that of
                      --dataset in all of them
  -h, --help          Show this text
  --dry-run           Resolve, and stop
  --json              Print JSON
`;

/** What npm 11 sets besides. */
const NPM = {
  npm_lifecycle_event: "experiment",
  npm_config_yes: "",
  npm_config_force: "",
  npm_config_cache: "/root/.npm",
  npm_config_electron_mirror: "https://example.org",
  npm_config_user_agent: "npm/11.19.1",
};

function kept(env: Record<string, string>, argv: string[] = []): string | undefined {
  return keptByNpm("experiment", argv, { ...NPM, ...env }, HELP);
}

describe("flags that npm kept", () => {
  it("are not found where npm has only its own settings and those of a .npmrc", () => {
    assert.equal(kept({}), undefined);
    assert.equal(kept({}, ["--dataset", "x"]), undefined);
  });

  it("are reported with the right command line, quoted for a shell", () => {
    assert.equal(
      kept({ npm_config_dataset: "my set", npm_config_data_dir: "/d", npm_config_dry_run: "true" }),
      "npm kept --dataset=my set --data-dir=/d --dry-run to itself, since no -- stands before; " +
        "write: npm run experiment -- '--dataset=my set' --data-dir=/d --dry-run",
    );
  });

  it("take their values from the words that were typed separately", () => {
    const env = { npm_config_dataset: "true", npm_config_json: "true" };
    assert.match(kept(env, ["x"]) ?? "", /write: npm run experiment -- --dataset x --json$/);
    assert.match(
      kept({ ...env, npm_config_seeds: "true" }, ["x", "1,2"]) ?? "",
      /write: npm run experiment -- x 1,2 --dataset VALUE --json --seeds VALUE$/,
    );
    assert.match(
      kept({ npm_config_seeds: "true" }, ["artifact", "2"]) ?? "",
      /write: npm run experiment -- artifact 2 --seeds VALUE$/,
    );
  });

  it("may be negative flags", () => {
    assert.match(kept({ npm_config_full: "" }) ?? "", /write: npm run experiment -- --no-full$/);
  });

  it("are ignored in a command inside another script", () => {
    assert.equal(kept({ npm_config_dataset: "x", npm_lifecycle_event: "test" }), undefined);
  });
});
