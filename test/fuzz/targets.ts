import { fuzzArtifacts } from "./artifact.js";
import { fuzzGrpc } from "./grpc.js";
import { fuzzHttp } from "./http.js";
import { fuzzSpecFiles } from "./spec-file.js";
import type { Target } from "./target.js";
import { fuzzZeroMq } from "./zeromq.js";

/** Everything that reads input from outside, by its name on the command line. */
export const TARGETS: Readonly<Record<string, Target>> = {
  "spec-files": fuzzSpecFiles,
  grpc: fuzzGrpc,
  http: fuzzHttp,
  zeromq: fuzzZeroMq,
  artifacts: fuzzArtifacts,
};
