import { useEffect, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import type { Chat } from "../chat/chat";
import type { State } from "../chat/state";
import { words, type Message, type Room, type User } from "../chat/http";

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

interface Props {
  chat: Chat;
  state: State;
  room: Room;
}

export function RoomView({ chat, state, room }: Props) {
  const log = state.logs[room.id];
  const sending = state.sending.filter((sending) => sending.roomId === room.id);
  const end = useRef<HTMLLIElement>(null);
  const newest = log?.messages.at(-1)?.seq;
  const [problem, setProblem] = useState<string>();
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    // Who reads further up stays there; who writes wants to see it.
    // Newer browsers answer with a promise, which is no clean-up.
    if (atEnd.current || sending.length) void end.current?.scrollIntoView({ block: "end" });
  }, [newest, sending.length]);
  const scrolled = (): void => {
    const place = list.current;
    if (place) atEnd.current = place.scrollHeight - place.scrollTop - place.clientHeight < 80;
  };

  return (
    <main className="room">
      <header>
        <h1>{room.name}</h1>
        <span>
          {room.memberCount} {room.memberCount === 1 ? "member" : "members"}, {room.visibility}
        </span>
        {room.myRole !== "member" && <AddMember chat={chat} room={room} />}
      </header>
      <ol ref={list} aria-label="Messages" aria-live="polite" onScroll={scrolled}>
        {log?.hasMore && (
          <li>
            <button
              className="plain"
              onClick={() => void chat.older(room.id).catch((error: unknown) => setProblem(words(error)))}
            >
              Older messages
            </button>
          </li>
        )}
        {log?.messages.map((message) => (
          <Said key={message.seq} message={message} mine={message.senderId === state.user?.id} />
        ))}
        {sending.map((sending) => (
          <li key={sending.messageId} className="message mine waiting">
            <p>{sending.text}</p>
            <small>{sending.refused ?? "Sending…"}</small>
          </li>
        ))}
        <li ref={end} aria-hidden="true" />
      </ol>
      {problem && <p role="alert">{problem}</p>}
      <Composer onSend={(text) => chat.send(room.id, text)} />
    </main>
  );
}

function Said({ message, mine }: { message: Message; mine: boolean }) {
  const text =
    "message" in message
      ? message.message
      : "deleted" in message
        ? "This message was deleted."
        : "Sealed message";
  return (
    <li className={mine ? "message mine" : "message"} data-seq={message.seq}>
      <b>{message.senderName}</b>
      <p>{text}</p>
      <time dateTime={message.sentAt}>{clock.format(new Date(message.sentAt))}</time>
    </li>
  );
}

function Composer({ onSend }: { onSend(text: string): void }) {
  const form = useRef<HTMLFormElement>(null);
  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("text"));
    if (!text.trim()) return;
    onSend(text);
    event.currentTarget.reset();
  }
  function keyed(event: KeyboardEvent): void {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    form.current?.requestSubmit();
  }
  return (
    <form ref={form} className="composer" onSubmit={submit}>
      <textarea
        name="text"
        aria-label="Message"
        placeholder="Write a message"
        rows={2}
        maxLength={4000}
        onKeyDown={keyed}
      />
      <button>Send</button>
    </form>
  );
}

function AddMember({ chat, room }: { chat: Chat; room: Room }) {
  const [found, setFound] = useState<User[]>();
  const [told, setTold] = useState<string>();
  async function find(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    setTold(undefined);
    try {
      setFound(await chat.findPeople(String(new FormData(event.currentTarget).get("query"))));
    } catch (error) {
      setTold(words(error));
    }
  }
  async function add(user: User): Promise<void> {
    try {
      await chat.addMember(room.id, user.id);
      setTold(`${user.displayName} is in.`);
    } catch (error) {
      setTold(words(error));
    }
    setFound(undefined);
  }
  return (
    <details>
      <summary>Add people</summary>
      <form onSubmit={(event) => void find(event)}>
        <label>
          Start of a name
          <input name="query" required minLength={2} maxLength={64} />
        </label>
        <button>Find</button>
      </form>
      {told && <p role="status">{told}</p>}
      <ul aria-label="People">
        {found?.map((user) => (
          <li key={user.id}>
            <button onClick={() => void add(user)}>Add {user.displayName}</button>
          </li>
        ))}
      </ul>
    </details>
  );
}
