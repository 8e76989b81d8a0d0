import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { httpApp } from "../../src/api/http/app.js";
import { HttpServer } from "../../src/api/http/server.js";
import { openSecurity } from "../../src/security/security.js";
import { homePaths } from "../../src/store/home.js";
import { ask } from "../fixtures/http-client.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

test("files with a hash in their name are cached for ever, the page is requested again", async (t) => {
  const dashboard = temporaryFolder(t);
  const security = openSecurity("127.0.0.1", {}, homePaths(temporaryFolder(t)), silent);
  const options = {
    security,
    routes: [],
    version: "1",
    log: silent,
    isLoopback: true,
    onAnswer: () => {},
  };
  const server = new HttpServer(httpApp({ ...options, dashboard }));
  const address = await server.listen("127.0.0.1", { port: 0 });
  afterwards(t, () => server.stop(100));

  const unbuilt = await ask(address, "GET", "/");
  assert.equal(unbuilt.status, 404);
  assert.match(unbuilt.text, /npm run build/);

  mkdirSync(join(dashboard, "assets"));
  writeFileSync(join(dashboard, "index.html"), "<title>page</title>");
  writeFileSync(join(dashboard, "icon.svg"), "<svg/>");
  writeFileSync(join(dashboard, "assets", "app-3f2a.js"), "let x = 1;\n".repeat(1000));

  const script = await ask(address, "GET", "/assets/app-3f2a.js", {
    headers: { "accept-encoding": "gzip" },
  });
  assert.equal(script.headers["cache-control"], "public, max-age=31536000, immutable");
  assert.equal(script.headers["content-encoding"], "gzip");
  for (const path of ["/", "/experiments/1a2b", "/compare"]) {
    const page = await ask(address, "GET", path);
    assert.equal(page.text, "<title>page</title>", path);
    assert.equal(page.headers["cache-control"], "no-cache");
    const etag = page.headers.etag ?? "";
    const again = await ask(address, "GET", path, { headers: { "if-none-match": etag } });
    assert.equal(again.status, 304);
  }
  assert.equal((await ask(address, "GET", "/icon.svg")).headers["cache-control"], "no-cache");
  const missing = await ask(address, "GET", "/assets/app-old.js");
  assert.equal(missing.status, 404);
  assert.equal(missing.mediaType, "application/json");
  for (const path of ["/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2fetc%2fpasswd"]) {
    assert.doesNotMatch((await ask(address, "GET", path)).text, /root:/);
  }
});
