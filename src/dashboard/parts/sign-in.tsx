import { useEffect, useRef, useState } from "preact/hooks";
import { whoAmI } from "../server/api.js";
import { identity, keepToken, needsToken, token } from "../server/session.js";
import { asServerError, useResource } from "./resource.js";

/** The signed-in user and a button to sign out; nothing where the server asks for no token. */
export function UserMenu() {
  const { data } = useResource("whoami", whoAmI);
  useEffect(() => {
    identity.value = data;
  }, [data]);
  if (data === undefined || data.authentication === "none") return null;
  return (
    <span class="user">
      <span class="muted">
        {data.name} ({data.role})
      </span>
      <button
        type="button"
        class="link-button"
        onClick={() => {
          keepToken("");
          needsToken.value = true;
        }}
      >
        Sign out
      </button>
    </span>
  );
}

/** Asks for a token as soon as the server requires one. */
export function SignIn() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isWanted = needsToken.value;
  useEffect(() => {
    const element = dialog.current;
    if (isWanted && element && !element.open) element.showModal();
    if (!isWanted && element?.open) element.close();
  }, [isWanted]);
  return (
    <dialog ref={dialog} class="dialog" aria-labelledby="sign-in-title">
      <TokenForm />
    </dialog>
  );
}

function TokenForm() {
  const [text, setText] = useState("");
  const [problem, setProblem] = useState("");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const found = await signIn(text.trim());
    setProblem(found);
    if (found === "") setText("");
  };
  return (
    <form onSubmit={submit}>
      <h2 id="sign-in-title">Sign in</h2>
      <p>
        This server identifies its users by tokens. Whoever runs it can give you one. It is kept
        until this tab is closed.
      </p>
      <label class="field">
        <span>Token</span>
        <input
          type="password"
          autocomplete="off"
          required
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
      </label>
      {problem === "" ? null : (
        <p class="notice notice-problem" role="alert">
          {problem}
        </p>
      )}
      <div class="dialog-buttons">
        <button type="submit" class="button primary">
          Sign in
        </button>
      </div>
    </form>
  );
}

/** Keeps the token if the server accepts it, else the former one. @returns why not, or "" */
async function signIn(given: string): Promise<string> {
  const before = token.value;
  keepToken(given);
  try {
    identity.value = await whoAmI();
    needsToken.value = false;
    return "";
  } catch (error) {
    keepToken(before);
    return asServerError(error).message;
  }
}
