import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { FailureKind, StillhouseError } from "../errors.js";
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

/** A token without the token: who has it, and what is needed to know it again. */
export type TokenRecord = z.infer<typeof fileSchema>["tokens"][number];

/** `HOME/tokens.json`: the tokens that are accepted, by their hashes. */
export class TokenFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Differs after every change; empty where there is no file. */
  version(): string {
    const stat = statSync(this.path, { throwIfNoEntry: false });
    return stat ? `${stat.ino} ${stat.mtimeMs} ${stat.size}` : "";
  }

  /** In the order in which they were added. @throws ENVIRONMENT when the file is damaged */
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
      throw unusable(this.path, "it is no list of tokens");
    }
  }

  /**
   * Makes a token. It is returned once and stored nowhere.
   *
   * @throws INVALID for a name that is none, CONFLICT for one that is taken
   */
  add(name: string, role: Role, now: Date): string {
    checkName(name);
    const token = makeToken();
    const record = { name, role, sha256: tokenHash(token), created: now.toISOString() };
    this.#change((tokens) => {
      if (tokens.some((other) => other.name === name)) {
        throw new StillhouseError(
          FailureKind.FAILURE_KIND_CONFLICT,
          `there is a token named ${JSON.stringify(name)} already; remove it first with: npm run keys -- token rm ${name}`,
        );
      }
      return [...tokens, record];
    });
    return token;
  }

  /** From now on the token is refused. @throws NOT_FOUND */
  remove(name: string): void {
    this.#change((tokens) => {
      const others = tokens.filter((token) => token.name !== name);
      if (others.length < tokens.length) return others;
      throw new StillhouseError(
        FailureKind.FAILURE_KIND_NOT_FOUND,
        `there is no token named ${JSON.stringify(name)}; npm run keys -- token ls shows all`,
      );
    });
  }

  /** The new file is written beside the old one, exclusively, so that no change is lost. */
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
    throw new StillhouseError(
      FailureKind.FAILURE_KIND_CONFLICT,
      `another command changes the tokens in this moment; if none does, remove ${draft}`,
      { retryable: true },
    );
  }
}

function checkName(name: string): void {
  if (name === "local" || name === "local-worker") {
    const message = `${name} is the name of what the control plane starts itself; choose another`;
    throw new StillhouseError(FailureKind.FAILURE_KIND_INVALID, message);
  }
  if (NAME.test(name)) return;
  throw new StillhouseError(
    FailureKind.FAILURE_KIND_INVALID,
    `the name of a token has 1 to 64 letters, digits, ".", "_", "@" and "-", got ${JSON.stringify(name)}`,
  );
}

function unusable(path: string, why: string): StillhouseError {
  return new StillhouseError(
    FailureKind.FAILURE_KIND_ENVIRONMENT,
    `${path} cannot be used: ${why}`,
  );
}
