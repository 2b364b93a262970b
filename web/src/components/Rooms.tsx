import { words, type Room, type State } from "chat-client";
import { useState, type FormEvent } from "react";
import { title, type Chat } from "../chat/chat";
import { go } from "../chat/place";
import { Account } from "./Account";
import { Dot } from "./Dot";

interface Props {
  chat: Chat;
  state: State;
  chosen: string;
}

export function Rooms({ chat, state, chosen }: Props) {
  const [problem, setProblem] = useState<string>();
  const [found, setFound] = useState<Room[]>();
  const told = (work: Promise<void>): void => {
    setProblem(undefined);
    work.catch((error: unknown) => setProblem(words(error)));
  };

  function leave(): void {
    const waiting = state.outbox.length;
    const question = `Messages not sent yet: ${waiting}. They are lost when you log out.`;
    if (waiting === 0 || confirm(question)) told(chat.signOut());
  }

  async function create(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    go(await chat.createRoom(String(fields.get("name")), fields.get("private") ? "private" : "public"));
    form.reset();
  }

  async function find(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    setFound(await chat.findRooms(String(new FormData(event.currentTarget).get("query"))));
  }

  async function join(room: Room): Promise<void> {
    await chat.joinRoom(room.id);
    setFound(undefined);
    go(room.id);
  }

  return (
    <nav className="rooms" aria-label="Rooms">
      <header>
        <strong>{state.user?.displayName}</strong>
        <button className="plain" onClick={leave}>
          Log out
        </button>
      </header>
      <Account chat={chat} />
      <ul>
        {state.rooms.map((room) => (
          <li key={room.id}>
            <button aria-current={room.id === chosen} onClick={() => go(room.id)}>
              {title(room)} {room.peer && <Dot presence={state.presence[room.peer.id]} />}
            </button>
            <Unread room={room} />
          </li>
        ))}
      </ul>
      {problem && <p role="alert">{problem}</p>}
      <form onSubmit={(event) => told(create(event))}>
        <label>
          New room
          <input name="name" required maxLength={80} />
        </label>
        <label className="inline">
          <input type="checkbox" name="private" /> Private
        </label>
        <button>Create</button>
      </form>
      <form onSubmit={(event) => told(find(event))}>
        <label>
          Find public rooms
          <input name="query" maxLength={64} />
        </label>
        <button>Find</button>
      </form>
      {found && (
        <ul aria-label="Public rooms">
          {found.length === 0 && <li>None that you are not in.</li>}
          {found.map((room) => (
            <li key={room.id}>
              <button onClick={() => told(join(room))}>Join {room.name}</button>
            </li>
          ))}
        </ul>
      )}
    </nav>
  );
}

/** Counts above a thousand are not exact any more. */
const some = (count: number): string => (count > 1000 ? "1000+" : String(count));

function Unread({ room: { unreadCount, mentionCount } }: { room: Room }) {
  if (unreadCount === 0) return null;
  return (
    <small className={mentionCount ? "unread mentioned" : "unread"}>
      {some(unreadCount)} unread{mentionCount > 0 && `, ${some(mentionCount)} to you`}
    </small>
  );
}
