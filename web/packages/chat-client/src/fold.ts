// Messages as they stand, folded from the log's events. Events alone decide: a page of messages would not say at which
// place of the log it was read, and what came after it could be counted twice or missed.
import type { DurableEvent, Envelope, EventOf } from "./wire.ts";

export interface LogMessage {
  roomId: string;
  seq: number;
  messageId: string;
  senderId: string;
  senderName: string;
  sentAt: string;
  replyTo?: string;
  mentions: readonly string[];
  body: Body;
  editedAt?: string;
  /** The place of its deletion in the log. */
  deletedSeq?: number;
  /** Who reacted, in the order in which they did. */
  reactions: readonly { emoji: string; userIds: readonly string[] }[];
}

export type Body =
  { kind: "text"; text: string } | { kind: "sealed"; envelope: Envelope } | { kind: "deleted" };

/** An event that changes a message said before it. */
export type Change = EventOf<"edited"> | EventOf<"deleted"> | EventOf<"reaction">;

export function isChange(event: DurableEvent): event is Change {
  return event.type === "edited" || event.type === "deleted" || event.type === "reaction";
}

function bodyOf(event: EventOf<"message"> | EventOf<"edited">): Body {
  if ("message" in event) return { kind: "text", text: event.message };
  if ("envelope" in event) return { kind: "sealed", envelope: event.envelope };
  return { kind: "deleted" };
}

export function said(event: EventOf<"message">): LogMessage {
  const { roomId, seq, messageId, senderId, senderName, sentAt, replyTo, mentions = [] } = event;
  return {
    ...{ roomId, seq, messageId, senderId, senderName, sentAt, mentions },
    ...(replyTo ? { replyTo } : {}),
    body: bodyOf(event),
    reactions: [],
  };
}

export function changed(message: LogMessage, event: Change): LogMessage {
  switch (event.type) {
    case "edited":
      return { ...message, body: bodyOf(event), editedAt: event.editedAt };
    case "deleted":
      return { ...message, body: { kind: "deleted" }, reactions: [], deletedSeq: event.seq };
    case "reaction":
      return { ...message, reactions: reacted(message.reactions, event) };
  }
}

function reacted(
  reactions: LogMessage["reactions"],
  { emoji, userId, op }: EventOf<"reaction">,
): LogMessage["reactions"] {
  const before = reactions.find((reaction) => reaction.emoji === emoji)?.userIds ?? [];
  const others = before.filter((each) => each !== userId);
  const userIds = op === "added" ? [...others, userId] : others;
  if (before.length === 0) return userIds.length ? [...reactions, { emoji, userIds }] : reactions;
  return reactions
    .map((each) => (each.emoji === emoji ? { emoji, userIds } : each))
    .filter((each) => each.userIds.length > 0);
}
