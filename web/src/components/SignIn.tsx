import { words } from "chat-client";
import { useState, type FormEvent } from "react";
import type { Chat } from "../chat/chat";

export function SignIn({ chat }: { chat: Chat }) {
  const [route, setRoute] = useState<"login" | "register">("register");
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const title = route === "login" ? "Log in" : "Create an account";

  async function submit(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const credentials = { username: String(form.get("username")), password: String(form.get("password")) };
    setBusy(true);
    try {
      await chat.signIn(route, credentials);
    } catch (error) {
      setProblem(words(error));
      setBusy(false);
    }
  }

  return (
    <main className="centre">
      <form className="card" onSubmit={(event) => void submit(event)}>
        <h1>{title}</h1>
        <label>
          Username
          <input name="username" autoComplete="username" required minLength={3} maxLength={32} />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            required
            minLength={10}
            autoComplete={route === "login" ? "current-password" : "new-password"}
          />
        </label>
        {problem && <p role="alert">{problem}</p>}
        <button disabled={busy}>{route === "login" ? "Log in" : "Register"}</button>
        <button
          type="button"
          className="plain"
          onClick={() => setRoute(route === "login" ? "register" : "login")}
        >
          {route === "login" ? "I have no account yet" : "I have an account"}
        </button>
      </form>
    </main>
  );
}
