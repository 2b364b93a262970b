import type { State } from "chat-client";
import { useMemo, useSyncExternalStore } from "react";
import type { Chat } from "../chat/chat";
import { usePlace } from "../chat/place";
import { RoomView } from "./RoomView";
import { Rooms } from "./Rooms";
import { SignIn } from "./SignIn";

export function App({ chat }: { chat: Chat }) {
  const state = useSyncExternalStore(chat.subscribe, chat.snapshot);
  const chosen = usePlace();
  const room = useMemo(() => state.rooms.find((room) => room.id === chosen), [state.rooms, chosen]);

  if (state.phase === "starting") {
    return <p className="centre">{state.notice ? `${state.notice} Trying again…` : "One moment…"}</p>;
  }
  if (state.phase === "signed-out") return <SignIn chat={chat} />;
  return (
    <div className="app">
      <Connection state={state} />
      <Rooms chat={chat} state={state} chosen={chosen} />
      {room ? (
        <RoomView key={room.id} chat={chat} state={state} room={room} />
      ) : (
        <main className="centre">Choose a room, or create one.</main>
      )}
    </div>
  );
}

const LINE = { connecting: "Connecting…", open: "Connected", lost: "Connection lost. Trying again…" };

/** How the line is, and whether what is shown may be old. */
function Connection({ state: { connection, stale } }: { state: State }) {
  return (
    <div role="status" className={`connection ${connection}`}>
      {LINE[connection]}
      {stale && <p>Part of the server is away. What is shown may lack the newest.</p>}
    </div>
  );
}
