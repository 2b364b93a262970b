// What a core wants done, and what it shows. Whoever runs it has the socket, the clock and the store.
import type { RoomLog } from "./log.ts";
import type { Entry, Outbox } from "./outbox.ts";
import type { ClientFrame } from "./wire.ts";

export type Effect =
  | { do: "write"; frame: ClientFrame }
  /** Ask `/events` for the places above `after`, up to `to`; the answer goes to `fetched`. */
  | { do: "fetch"; roomId: string; after: number; to: number }
  /** Call `woke` with the key, once, after so long. A later wait of the same key replaces an earlier one. */
  | { do: "wait"; key: string; ms: number }
  | { do: "keep"; entry: Entry }
  | { do: "drop"; messageId: string }
  /** The room is not mine any more, or its list is out of date. */
  | { do: "relist" };

export interface Me {
  id: string;
  displayName: string;
}

export interface CoreState {
  logs: Readonly<Record<string, RoomLog>>;
  outbox: Outbox;
}
