import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { conflict, environment, invalid, notFound, type StillhouseError } from "../errors.js";
import { makeFolder } from "../make-folder.js";
import { ROLES, type Role } from "./role.js";
import { makeToken, tokenHash } from "./token.js";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

const fileSchema = z.object({
  version: z.literal(1),
  tokens: z.array(
    z.object({
      name: z.string().regex(NAME),
      role: z.enum(ROLES),
      /** SHA-256 of the token, hexadecimal. */
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      created: z.iso.datetime(),
    }),
  ),
});

/** What is stored of a token: whose it is, and the hash by which it is recognised. */
export type TokenRecord = z.infer<typeof fileSchema>["tokens"][number];

/** A file beside that of the tokens, so that it remains when that is removed. */
const CLOSED = "closed";
const CLOSED_TEXT =
  "This home has had bearer tokens, so it admits nobody without one, even after all are removed.\n" +
  "npm run keys -- token open ends that.\n";

/**
 * `HOME/tokens.json`: the accepted tokens, by their hashes; and `HOME/closed`, which says that a
 * home has had tokens, so that removing the last one does not open it.
 */
export class TokenFile {
  readonly path: string;
  readonly #closed: string;

  constructor(path: string) {
    this.path = path;
    this.#closed = join(dirname(path), CLOSED);
  }

  /** Whether nobody is admitted without a token, even if there are no tokens. */
  get isClosed(): boolean {
    return existsSync(this.#closed);
  }

  /** Admits nobody without a token from now on. @throws ENVIRONMENT when that cannot be stored */
  close(): void {
    if (this.isClosed) return;
    try {
      makeFolder(dirname(this.path));
      writeFileSync(this.#closed, CLOSED_TEXT, { mode: 0o600, flush: true });
    } catch (error) {
      throw unusable(this.#closed, (error as Error).message);
    }
  }

  /** Admits everyone on this machine from now on. @throws CONFLICT while there are tokens */
  open(): void {
    const names = this.read().map(({ name }) => name);
    if (names.length > 0) {
      const rest = names.length > 5 ? ` and ${names.length - 5} more` : "";
      throw conflict(
        `there are still tokens, of ${names.slice(0, 5).join(", ")}${rest}; ` +
          "remove each first with: npm run keys -- token rm NAME",
      );
    }
    rmSync(this.#closed, { force: true });
  }

  /** A text that differs after every change; empty where there is no file. */
  version(): string {
    const stat = statSync(this.path, { throwIfNoEntry: false });
    return stat ? `${stat.ino} ${stat.mtimeMs} ${stat.size}` : "";
  }

  /** The tokens in the order of their creation. @throws ENVIRONMENT when the file is damaged */
  read(): TokenRecord[] {
    let text: string;
    try {
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw unusable(this.path, (error as Error).message);
    }
    try {
      return fileSchema.parse(JSON.parse(text)).tokens;
    } catch {
      throw unusable(this.path, "it is not a list of tokens");
    }
  }

  /**
   * Creates a token. It is returned once and stored nowhere.
   *
   * @throws INVALID for an invalid name, CONFLICT for one that is in use
   */
  add(name: string, role: Role, now: Date): string {
    checkName(name);
    const token = makeToken();
    this.close();
    const record = { name, role, sha256: tokenHash(token), created: now.toISOString() };
    this.#change((tokens) => {
      if (tokens.some((other) => other.name === name)) {
        throw conflict(
          `there is a token named ${JSON.stringify(name)} already; remove it first with: npm run keys -- token rm ${name}`,
        );
      }
      return [...tokens, record];
    });
    return token;
  }

  /** Removes the token, which is refused from now on. @throws NOT_FOUND */
  remove(name: string): void {
    this.#change((tokens) => {
      const others = tokens.filter((token) => token.name !== name);
      if (others.length < tokens.length) return others;
      throw notFound(
        `there is no token named ${JSON.stringify(name)}; npm run keys -- token ls shows all`,
      );
    });
  }

  /** Writes the new file beside the old one, exclusively, so that no change is lost. */
  #change(action: (tokens: TokenRecord[]) => TokenRecord[]): void {
    const draft = `${this.path}.new`;
    makeFolder(dirname(this.path));
    reserve(draft);
    try {
      const tokens = action(this.read());
      writeFileSync(draft, `${JSON.stringify({ version: 1, tokens }, null, 2)}\n`);
      renameSync(draft, this.path);
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    }
  }
}

function reserve(draft: string): void {
  try {
    writeFileSync(draft, "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw unusable(draft, (error as Error).message);
    }
    throw conflict(
      `another command changes the tokens in this moment; if none does, remove ${draft}`,
      { retryable: true },
    );
  }
}

function checkName(name: string): void {
  if (name === "local" || name === "local-worker") {
    const message = `${name} is the name of the control plane's own workers; choose another`;
    throw invalid("", message);
  }
  if (NAME.test(name)) return;
  throw invalid(
    "",
    `the name of a token has 1 to 64 letters, digits, ".", "_", "@" and "-", got ${JSON.stringify(name)}`,
  );
}

function unusable(path: string, why: string): StillhouseError {
  return environment(`${path} cannot be used: ${why}`);
}
