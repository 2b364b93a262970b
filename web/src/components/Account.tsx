import { Problem, words, type OwnSession } from "chat-client";
import { useEffect, useState, type FormEvent } from "react";
import type { Chat } from "../chat/chat";

const time = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Here a wrong password is the only credential there is. */
const inWords = (error: unknown): string =>
  error instanceof Problem && error.code === "invalid-credentials"
    ? "That is not your password."
    : words(error);

/** Where I am signed in, and my password. */
export function Account({ chat }: { chat: Chat }) {
  const [open, setOpen] = useState(false);
  const [sessions, setSessions] = useState<OwnSession[]>([]);
  const [said, setSaid] = useState<string>();

  const look = async (): Promise<void> => setSessions(await chat.sessions());
  const told = (work: Promise<void>): void => {
    setSaid(undefined);
    work.then(look).catch((error: unknown) => setSaid(inWords(error)));
  };

  useEffect(() => {
    if (!open) return;
    let over = false;
    chat.sessions().then(
      (sessions) => over || setSessions(sessions),
      (error: unknown) => over || setSaid(words(error)),
    );
    return () => {
      over = true;
    };
  }, [chat, open]);

  async function change(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    await chat.changePassword(String(fields.get("current")), String(fields.get("new")));
    form.reset();
    setSaid("Your password is changed. Everywhere else you are signed out.");
  }

  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Account</summary>
      <ul aria-label="Where you are signed in">
        {sessions.map(({ sid, device, createdAt, lastSeenAt, current }) => (
          <li key={sid}>
            <span>
              {current ? "This browser" : (device ?? "Another device")}
              <small>
                {" "}
                signed in {time.format(new Date(createdAt))}, last seen {time.format(new Date(lastSeenAt))}
              </small>
            </span>
            {!current && (
              <button className="plain" onClick={() => told(chat.endSession(sid))}>
                Sign out
              </button>
            )}
          </li>
        ))}
      </ul>
      <form onSubmit={(event) => told(change(event))}>
        <label>
          Current password
          <input name="current" type="password" autoComplete="current-password" required />
        </label>
        <label>
          New password
          <input name="new" type="password" autoComplete="new-password" required minLength={10} />
        </label>
        <button>Change password</button>
      </form>
      {said && <p role="alert">{said}</p>}
    </details>
  );
}
