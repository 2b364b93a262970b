// What is meant for others.
export { ChatClient, type State } from "./client.ts";
export { inBrowser, inMemory, type Clock, type Environment, type KeyValue } from "./environment.ts";
export type { Body, LogMessage } from "./fold.ts";
export {
  Problem,
  words,
  type Credentials,
  type Member,
  type OwnSession,
  type Page,
  type Room,
  type User,
} from "./http.ts";
export type { RoomLog } from "./log.ts";
export { OutboxFull, TextTooLong, type Entry } from "./outbox.ts";
export { LocalOutbox, MemoryOutbox, type OutboxStore } from "./outbox-store.ts";
export type { Draft, DurableEvent, Presence, PresenceState } from "./wire.ts";
