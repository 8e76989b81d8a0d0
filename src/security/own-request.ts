import { permissionDenied } from "../errors.js";
import { type AllowedFolders, checkPlaces, type PlacesOfSpec } from "./allowed-folders.js";
import type { Identity } from "./identity.js";

/** The parts of requests that not every caller may name. */
interface Claims {
  readonly owner?: string;
  readonly draft?: PlacesOfSpec | undefined;
  readonly spec?: PlacesOfSpec | undefined;
  readonly specs?: readonly PlacesOfSpec[];
}

/** @throws PERMISSION_DENIED */
type PlacesCheck = (spec: PlacesOfSpec) => void;

/**
 * A request as its caller may make it: what it creates belongs to the caller, and it may name only
 * allowed folders of this machine. An admin may name another owner. A caller who needs no token, or
 * who is this machine's own user, may name anything.
 *
 * @throws PERMISSION_DENIED with a sentence that says what may be named
 */
export function ownRequest<Request>(
  request: Request,
  identity: Identity,
  folders: AllowedFolders,
): Request {
  if (typeof request !== "object" || request === null) return request;
  const { draft, spec, specs = [] } = request as Claims;
  const check = placesCheck(identity, folders);
  for (const named of [draft, spec, ...specs]) if (named !== undefined) check?.(named);
  return "owner" in request ? { ...request, owner: ownerOf(request as Claims, identity) } : request;
}

/** Checks the folders that a spec names for this caller; undefined where it may name any. */
export function placesCheck(
  { authentication }: Identity,
  folders: AllowedFolders,
): PlacesCheck | undefined {
  // A user who can read the session's token can read the folders anyway.
  if (authentication !== "token") return undefined;
  return (spec) => checkPlaces(spec, folders);
}

function ownerOf({ owner = "" }: Claims, { name, role, authentication }: Identity): string {
  if (owner === "") return name;
  if (authentication === "none" || role === "admin" || owner === name) return owner;
  throw permissionDenied(
    `what ${JSON.stringify(name)} creates belongs to ${JSON.stringify(name)}; ` +
      `only a token of the role admin may name another owner, and the request names ${JSON.stringify(owner)}`,
    { field: "owner" },
  );
}
