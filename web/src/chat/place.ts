// The open room is in the address, so that it outlives a reload, is gone back to, and can be handed on.
import { useSyncExternalStore } from "react";

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}

/** The id of the room that the address names, or nothing. */
export function usePlace(): string {
  return useSyncExternalStore(subscribe, () => location.hash.slice(1));
}

export function go(roomId: string): void {
  location.hash = roomId;
}
