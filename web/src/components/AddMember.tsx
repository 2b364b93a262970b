import { words, type Room, type User } from "chat-client";
import { useState, type FormEvent } from "react";
import type { Chat } from "../chat/chat";

export function AddMember({ chat, room }: { chat: Chat; room: Room }) {
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
