// Follows an experiment to its end, then prints what came out:
//   node example.mjs HOST:PORT EXPERIMENT
import { StillhouseClient, StillhouseError } from "stillhouse-client";

const [address = "127.0.0.1:8421", id = ""] = process.argv.slice(2);
const client = new StillhouseClient(address);
try {
  for await (const { kind } of client.watch(id, 0n)) {
    if (kind?.$case === "task") console.log(`${kind.value.id} ${kind.value.state}`);
  }
  const { experiment } = await client.get(id);
  console.log(`${id} ${experiment?.state}`);
  for (const { name, numPoints, min, max } of await client.metrics(id)) {
    console.log(`${name}: ${numPoints} points from ${min?.value} to ${max?.value}`);
  }
} catch (error) {
  if (!(error instanceof StillhouseError)) throw error;
  console.error(`${error.kind}: ${error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
}
