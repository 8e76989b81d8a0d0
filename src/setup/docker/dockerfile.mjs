import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/**
 * @typedef {{ kind: "run", command: string, line: number }
 *   | { kind: "copy", from: string | undefined, sources: string[], target: string, line: number }
 *   | { kind: "workdir", path: string }
 *   | { kind: "env", values: Record<string, string> }
 *   | { kind: "arg", name: string, value: string }} Step
 *
 * @typedef {object} Stage
 * @property {string} name
 * @property {string} from an image, or the name of an earlier stage
 * @property {Step[]} steps those that make files, or change how they are made
 */

/**
 * The stages of a Dockerfile, in order.
 *
 * @param {string} path
 * @param {string} modules folder with the parser
 * @returns {Stage[]}
 */
export function readDockerfile(path, modules) {
  const load = createRequire(join(modules, "x.js"));
  const { DockerfileParser } = load("dockerfile-ast");
  /** @type {Stage[]} */
  const stages = [];
  for (const instruction of DockerfileParser.parse(readFileSync(path, "utf8")).getInstructions()) {
    if (instruction.getKeyword() === "FROM") {
      const image = instruction.getImage();
      stages.push({ name: instruction.getBuildStage() ?? image, from: image, steps: [] });
      continue;
    }
    const step = stepOf(instruction);
    if (step) stages.at(-1)?.steps.push(step);
  }
  return stages;
}

/** @param {any} instruction of dockerfile-ast @returns {Step | undefined} */
function stepOf(instruction) {
  const line = instruction.getRange().start.line + 1;
  const words = () => instruction.getArguments().map((/** @type {any} */ word) => word.getValue());
  switch (instruction.getKeyword()) {
    case "RUN":
      return { kind: "run", command: joinLines(instruction.getRawArgumentsContent()), line };
    case "COPY": {
      const flags = instruction.getFlags();
      const from = flags.find((/** @type {any} */ flag) => flag.getName() === "from")?.getValue();
      const paths = words();
      return { kind: "copy", from, sources: paths.slice(0, -1), target: paths.at(-1), line };
    }
    case "WORKDIR":
      return { kind: "workdir", path: words()[0] };
    case "ENV": {
      const pairs = instruction.getProperties();
      const values = pairs.map((/** @type {any} */ pair) => [
        pair.getName(),
        pair.getValue() ?? "",
      ]);
      return { kind: "env", values: Object.fromEntries(values) };
    }
    case "ARG": {
      const property = instruction.getProperty();
      return { kind: "arg", name: property.getName(), value: property.getValue() ?? "" };
    }
    default:
      return undefined;
  }
}

/** @param {string} text */
function joinLines(text) {
  return text.replace(/\\\n\s*/g, " ");
}
