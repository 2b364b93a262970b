import { words, type Room, type State } from "chat-client";
import { useEffect, useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { title, type Chat } from "../chat/chat";
import { AddMember } from "./AddMember";
import { Dot } from "./Dot";
import { Members } from "./Members";
import { Said, Waiting } from "./Messages";

interface Props {
  chat: Chat;
  state: State;
  room: Room;
}

export function RoomView({ chat, state, room }: Props) {
  const log = state.logs[room.id];
  const waiting = state.outbox.filter((entry) => entry.draft.roomId === room.id);
  const end = useRef<HTMLLIElement>(null);
  const newest = log?.messages.at(-1)?.seq;
  const [problem, setProblem] = useState<string>();
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);

  useEffect(() => {
    chat.watch(room.id);
    return () => chat.watch(undefined);
  }, [chat, room.id]);

  useEffect(() => {
    // Who reads further up stays there; who writes wants to see it.
    // Newer browsers answer with a promise, which is no clean-up.
    if (atEnd.current || waiting.length) void end.current?.scrollIntoView({ block: "end" });
  }, [newest, waiting.length]);

  const unread = room.unreadCount > 0;
  const looked = (): void => {
    if (unread && atEnd.current && document.visibilityState === "visible") chat.read(room.id);
  };
  useEffect(() => {
    looked();
    document.addEventListener("visibilitychange", looked);
    return () => document.removeEventListener("visibilitychange", looked);
  });
  const scrolled = (): void => {
    const place = list.current;
    if (place) atEnd.current = place.scrollHeight - place.scrollTop - place.clientHeight < 80;
    looked();
  };

  function send(text: string): boolean {
    try {
      chat.send(room.id, text);
      setProblem(undefined);
      return true;
    } catch (error) {
      setProblem(words(error));
      return false;
    }
  }

  return (
    <main className="room">
      <header>
        <a className="back" href="#">
          All rooms
        </a>
        <h1>{title(room)}</h1>
        {room.peer ? (
          <span>
            @{room.peer.username} <Dot presence={state.presence[room.peer.id]} />
          </span>
        ) : (
          <Members chat={chat} state={state} room={room} />
        )}
        {room.kind === "room" && room.myRole !== "member" && <AddMember chat={chat} room={room} />}
      </header>
      <ol ref={list} aria-label="Messages" aria-live="polite" onScroll={scrolled}>
        {log && log.from > 1 && (
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
        {waiting.map((entry) => (
          <Waiting key={entry.draft.messageId} chat={chat} entry={entry} />
        ))}
        <li ref={end} aria-hidden="true" />
      </ol>
      {(problem ?? state.notice) && <p role="alert">{problem ?? state.notice}</p>}
      <p className="typing" role="status">
        {typists(state, room.id)}
      </p>
      {room.encryption === "none" ? (
        <Composer onSend={send} onTyping={(typing) => chat.typing(room.id, typing)} />
      ) : (
        <p className="unwritable">Messages here are sealed, which this page cannot do yet.</p>
      )}
    </main>
  );
}

/** In words, with the names that are known from what was said. */
function typists({ typing, logs }: State, roomId: string): string {
  const names = (typing[roomId] ?? []).map(
    (userId) => logs[roomId]?.messages.findLast((message) => message.senderId === userId)?.senderName,
  );
  if (names.length === 0) return "";
  if (names.length > 3 || names.includes(undefined)) {
    return names.length === 1 ? "Somebody is typing…" : "Several people are typing…";
  }
  return `${names.join(", ")} ${names.length === 1 ? "is" : "are"} typing…`;
}

/** @param onSend says whether the text was taken; if not, it stays. */
function Composer(props: { onSend(text: string): boolean; onTyping(typing: boolean): void }) {
  const form = useRef<HTMLFormElement>(null);
  function submit(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("text"));
    if (!text.trim()) return;
    if (props.onSend(text)) event.currentTarget.reset();
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
        onKeyDown={keyed}
        onChange={(event) => props.onTyping(event.target.value !== "")}
      />
      <button>Send</button>
    </form>
  );
}
