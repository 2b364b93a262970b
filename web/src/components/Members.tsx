import { words, type Member, type Room, type State } from "chat-client";
import { useEffect, useState } from "react";
import type { Chat } from "../chat/chat";
import { Dot } from "./Dot";

interface Props {
  chat: Chat;
  state: State;
  room: Room;
}

/** Who is in the room, and how they are: asked for when somebody looks, and where it may have changed unheard. */
export function Members({ chat, state: { connection, presence }, room }: Props) {
  const [open, setOpen] = useState(false);
  const [members, setMembers] = useState<Member[]>([]);
  const [problem, setProblem] = useState<string>();
  const looking = open && connection === "open";

  useEffect(() => {
    if (!looking) return;
    let over = false;
    const told = (members: Member[], problem?: string): void => {
      if (over) return;
      setMembers(members);
      setProblem(problem);
    };
    chat.members(room.id).then(told, (error: unknown) => told([], words(error)));
    return () => {
      over = true;
    };
  }, [chat, room.id, room.memberCount, looking]);

  const shown = looking ? members : [];
  const more = room.memberCount - shown.length;
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {room.memberCount} {room.memberCount === 1 ? "member" : "members"}, {room.visibility}
      </summary>
      {problem && <p role="alert">{problem}</p>}
      <ul aria-label="Members">
        {shown.map((member) => (
          <li key={member.userId}>
            <Dot presence={presence[member.userId] ?? member.presence} /> {member.displayName}
          </li>
        ))}
        {shown.length > 0 && more > 0 && <li>… and {more} more</li>}
      </ul>
    </details>
  );
}
