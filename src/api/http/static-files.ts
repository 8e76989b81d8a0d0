import { existsSync } from "node:fs";
import { join, sep } from "node:path";
import express, { type RequestHandler, Router } from "express";

const YEAR_S = 365 * 24 * 3600;
/** Where Vite puts files whose name changes with what they hold. */
const HASHED = `${sep}assets${sep}`;

const NOT_BUILT =
  "This control plane has no dashboard: it was not built. In the project's folder: npm run build\n";

/**
 * The built dashboard. Browsers cache files with a hash in their name for ever, and request all
 * others again. A path that is no file is one of the page's own routes: it gets index.html.
 *
 * @param folder need not exist
 */
export function dashboardFiles(folder: string): Router {
  const router = Router();
  router.use(
    express.static(folder, {
      index: false,
      redirect: false,
      cacheControl: false,
      setHeaders: (response, path) => {
        const isHashed = path.slice(folder.length).startsWith(HASHED);
        response.set(
          "Cache-Control",
          isHashed ? `public, max-age=${YEAR_S}, immutable` : "no-cache",
        );
      },
    }),
  );
  router.get("/{*path}", page(folder));
  return router;
}

function page(folder: string): RequestHandler {
  return (request, response, next) => {
    // A script or an image that is missing must not turn into a page.
    const isRoute = request.accepts(["html", "text"]) && !/\.\w+$/.test(request.path);
    if (!isRoute) {
      next();
      return;
    }
    if (!existsSync(join(folder, "index.html"))) {
      response.status(404).type("text").send(NOT_BUILT);
      return;
    }
    response.set("Cache-Control", "no-cache");
    response.sendFile("index.html", { root: folder, cacheControl: false });
  };
}
