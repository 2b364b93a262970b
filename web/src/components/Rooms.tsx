import { useState, type FormEvent } from "react";
import type { Chat } from "../chat/chat";
import type { State } from "../chat/state";
import { words, type Room } from "../chat/http";

interface Props {
  chat: Chat;
  state: State;
  chosen: string | undefined;
  choose(roomId: string): void;
}

export function Rooms({ chat, state, chosen, choose }: Props) {
  const [problem, setProblem] = useState<string>();
  const [found, setFound] = useState<Room[]>();
  const told = (work: Promise<void>): void => {
    setProblem(undefined);
    work.catch((error: unknown) => setProblem(words(error)));
  };

  async function create(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    choose(await chat.createRoom(String(fields.get("name")), fields.get("private") ? "private" : "public"));
    form.reset();
  }

  async function find(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    setFound(await chat.findRooms(String(new FormData(event.currentTarget).get("query"))));
  }

  async function join(room: Room): Promise<void> {
    await chat.joinRoom(room.id);
    setFound(undefined);
    choose(room.id);
  }

  return (
    <nav className="rooms" aria-label="Rooms">
      <header>
        <strong>{state.user?.displayName}</strong>
        <button className="plain" onClick={() => told(chat.signOut())}>
          Log out
        </button>
      </header>
      <ul>
        {state.rooms.map((room) => (
          <li key={room.id}>
            <button aria-current={room.id === chosen} onClick={() => choose(room.id)}>
              {room.name}
            </button>
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
