import type { Entry, LogMessage } from "chat-client";
import type { Chat } from "../chat/chat";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export function Said({ message, mine }: { message: LogMessage; mine: boolean }) {
  const { seq, senderName, body, sentAt, editedAt, reactions } = message;
  return (
    <li className={mine ? "message mine" : "message"} data-seq={seq}>
      <b>{senderName}</b>
      {body.kind === "text" ? <p>{body.text}</p> : <p className="quiet">{WITHOUT_TEXT[body.kind]}</p>}
      <time dateTime={sentAt}>{clock.format(new Date(sentAt))}</time>
      {editedAt && body.kind !== "deleted" && <small className="edited"> (edited)</small>}
      {reactions.length > 0 && (
        <ul aria-label="Reactions">
          {reactions.map(({ emoji, userIds }) => (
            <li key={emoji}>
              {emoji} {userIds.length}
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

const WITHOUT_TEXT = { deleted: "Message deleted", sealed: "Sealed message" };

/** Written here, and not in the room's log yet. */
export function Waiting({ chat, entry: { draft, state } }: { chat: Chat; entry: Entry }) {
  return (
    <li className="message mine waiting">
      <p>{"message" in draft ? draft.message : WITHOUT_TEXT.sealed}</p>
      {state.kind !== "refused" && <small>Sending…</small>}
      {state.kind === "refused" && (
        <small>
          Not sent: {state.detail}{" "}
          <button className="plain" onClick={() => chat.tryAgain(draft.messageId)}>
            Try again
          </button>{" "}
          <button className="plain" onClick={() => chat.discard(draft.messageId)}>
            Discard
          </button>
        </small>
      )}
    </li>
  );
}
