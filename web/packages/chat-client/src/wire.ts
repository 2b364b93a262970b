// What goes over the socket, and what the API answers with, in the contract's words. The objects of the API and the durable
// events are generated from the server's own description.
import type { components } from "./api-types.ts";

type Schemas = components["schemas"];
export type Envelope = Schemas["Envelope"];
export type Presence = Schemas["Presence"];

/** How people are, by id; of whom nothing was heard on this line is not in it. */
export type PresenceState = Readonly<Record<string, Presence>>;

/** One place of a room's log. */
export type DurableEvent = Schemas["Event"];
export type EventOf<T extends DurableEvent["type"]> = Extract<DurableEvent, { type: T }>;

export interface Limits {
  frameBytes: number;
  textChars: number;
  roomsPerJoin: number;
  roomsPerSocket: number;
  framesPerSecond: number;
  frameBurst: number;
  sendsPerSecond: number;
  sendBurst: number;
}

export interface Welcome {
  type: "welcome";
  userId: string;
  expiresAt: string;
  limits: Limits;
}
export interface Draining {
  type: "draining";
  reconnectAfterMs: number;
}
export interface Joined {
  type: "joined";
  roomId: string;
  headSeq: number;
  logId: string;
  events: DurableEvent[];
  truncated: boolean;
}
export interface Ack {
  type: "ack";
  ref?: string;
  roomId: string;
  messageId: string;
  seq: number;
  sentAt: string;
}
export interface Refusal {
  type: "error";
  ref?: string;
  code: string;
  detail: string;
  roomId?: string;
  messageId?: string;
  retryAfterMs?: number;
}
export interface Typing {
  type: "typing";
  roomId: string;
  userId: string;
  typing: boolean;
}
export interface Read {
  type: "read";
  roomId: string;
  userId: string;
  seq: number;
}
export interface PresenceFrame {
  type: "presence";
  userId: string;
  status: Presence;
}

export type ServerFrame =
  | DurableEvent
  | Joined
  | Ack
  | Refusal
  | Typing
  | Read
  | PresenceFrame
  | { type: "left"; roomId: string }
  | { type: "authenticated"; expiresAt: string }
  | { type: "pong" }
  | { type: "notice"; kind: string; roomId?: string }
  | Welcome
  | Draining;

export type ClientFrame =
  | { type: "join"; ref?: string; rooms: { roomId: string; afterSeq?: number; logId?: string }[] }
  | { type: "leave"; roomId: string }
  | ({ type: "send"; ref: string } & Draft)
  | { type: "typing"; roomId: string; typing: boolean }
  | { type: "read"; roomId: string; seq: number }
  | { type: "presence"; status: "online" | "away" }
  | { type: "auth"; accessToken: string }
  | { type: "ping" };

/** A message before it has its place. The id is chosen by who writes it, and names it for ever. */
export type Draft = {
  roomId: string;
  messageId: string;
  replyTo?: string;
  mentions?: string[];
} & ({ message: string } | { envelope: Envelope });

const DURABLE = new Set(["message", "edited", "deleted", "reaction", "member", "room"]);

export function isDurable(frame: ServerFrame): frame is DurableEvent {
  return DURABLE.has(frame.type);
}
