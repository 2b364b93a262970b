// What the page draws, as one value.
import type { Room, User } from "./http";
import type { RoomLog } from "./log";

export interface Sending {
  roomId: string;
  messageId: string;
  text: string;
  /** Why the server refused it for good. */
  refused?: string;
}

export interface State {
  phase: "starting" | "signed-out" | "signed-in";
  user?: User;
  rooms: readonly Room[];
  logs: Readonly<Record<string, RoomLog>>;
  sending: readonly Sending[];
  connection: "connecting" | "open" | "lost";
  notice?: string;
}

export const EMPTY: State = { phase: "starting", rooms: [], logs: {}, sending: [], connection: "connecting" };
