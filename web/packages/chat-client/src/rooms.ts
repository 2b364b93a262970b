// My rooms: as the server listed them, moved on by what is heard since. Counts are taken from the log where it reaches back
// to the read marker; else the listed ones go on from the place where they were counted.
import type { Room } from "./http.ts";
import type { LogMessage } from "./fold.ts";
import { RECENT_CHANGES } from "./limits.ts";
import type { RoomLog } from "./log.ts";
import type { DurableEvent, EventOf } from "./wire.ts";

/** An event that changes a room, not what is said in it. */
type Told = EventOf<"member"> | EventOf<"room">;

interface Listed {
  room: Room;
  /** What is known of the room itself is from this place. */
  toldAt: number;
}

/** What a room was worked out from, and what came of it. */
interface Shown {
  listed: Listed;
  log: RoomLog | undefined;
  read: number;
  room: Room;
  sure: boolean;
}

export class RoomList {
  private listed: readonly Listed[] = [];
  private shown = new Map<string, Shown>();
  private readonly reads = new Map<string, number>();
  /** A list that was made before them comes after them. */
  private recent: Told[] = [];
  private last: readonly Room[] = [];

  constructor(private readonly me: string) {}

  list(rooms: readonly Room[]): void {
    this.listed = rooms.map((room) => ({ room, toldAt: room.headSeq }));
    this.recent.forEach((event) => this.tell(event));
  }

  /** Markers that were moved here may not have reached the server. */
  lost(): void {
    this.reads.clear();
  }

  /** My marker in a room, wherever it was moved. */
  read(roomId: string, seq: number): void {
    this.reads.set(roomId, Math.max(seq, this.reads.get(roomId) ?? 0));
  }

  marker(roomId: string): number {
    const listed = this.listed.find(({ room }) => room.id === roomId);
    return listed ? this.markerIn(listed.room) : 0;
  }

  private markerIn({ id, readSeq }: Room): number {
    return Math.max(readSeq ?? 0, this.reads.get(id) ?? 0);
  }

  event(event: DurableEvent): void {
    if (event.type !== "member" && event.type !== "room") return;
    this.recent = [...this.recent.slice(1 - RECENT_CHANGES), event];
    this.tell(event);
  }

  private tell(event: Told): void {
    this.listed = this.listed.map((listed) =>
      listed.room.id === event.roomId && event.seq > listed.toldAt
        ? { room: this.told(listed.room, event), toldAt: event.seq }
        : listed,
    );
  }

  private told(room: Room, event: Told): Room {
    if (event.type === "room") return { ...room, ...event.room };
    const { change, userId, role } = event;
    if (change === "role") return userId === this.me && role ? { ...room, myRole: role } : room;
    const more = change === "joined" || change === "added" ? 1 : -1;
    return { ...room, memberCount: room.memberCount + more };
  }

  /** The rooms as they stand, and whether every count of theirs is known; if not, they should be listed again. */
  look(logs: Readonly<Record<string, RoomLog>>): { rooms: readonly Room[]; sure: boolean } {
    const shown = this.listed.map((listed) => this.show(listed, logs[listed.room.id]));
    this.shown = new Map(shown.map((each) => [each.room.id, each]));
    const same = shown.length === this.last.length && shown.every(({ room }, n) => room === this.last[n]);
    if (!same) this.last = shown.map(({ room }) => room);
    return { rooms: this.last, sure: shown.every(({ sure }) => sure) };
  }

  private show(listed: Listed, log: RoomLog | undefined): Shown {
    const read = this.markerIn(listed.room);
    const before = this.shown.get(listed.room.id);
    if (before?.listed === listed && before.log === log && before.read === read) return before;
    const { unreadCount, mentionCount, sure } = count(listed.room, read, log, this.me);
    return { listed, log, read, sure, room: { ...listed.room, unreadCount, mentionCount } };
  }
}

interface Counts {
  unreadCount: number;
  mentionCount: number;
  sure: boolean;
}

/** @param read my marker, at least the listed one */
export function count(room: Room, read: number, log: RoomLog | undefined, me: string): Counts {
  const { headSeq, readSeq } = room;
  const { unreadCount, mentionCount } = room;
  if (log && log.logId !== room.logId) return { unreadCount, mentionCount, sure: false };
  const since = (place: number, sure: boolean): Counts => {
    const fresh = unread(log?.messages ?? [], place, me);
    const named = fresh.filter((message) => message.mentions.includes(me));
    return { unreadCount: fresh.length, mentionCount: named.length, sure };
  };
  if (log && log.from <= read + 1 && log.head >= headSeq) return since(read, true);
  if (read > (readSeq ?? 0)) return since(read, read >= Math.max(headSeq, log?.head ?? 0));
  const more = since(headSeq, !log || log.from <= headSeq + 1);
  const gone = log ? deletedSince(log, headSeq) : false;
  return {
    unreadCount: unreadCount + more.unreadCount,
    mentionCount: mentionCount + more.mentionCount,
    sure: more.sure && !(gone && unreadCount > 0),
  };
}

/** Whether a message that was said up to a place is gone since: it may be one of those that were counted there. */
function deletedSince({ messages, changes }: RoomLog, place: number): boolean {
  return (
    changes.some((change) => change.type === "deleted" && change.seq > place) ||
    messages.some(({ seq, deletedSeq }) => seq <= place && deletedSeq !== undefined && deletedSeq > place)
  );
}

/** Others' messages above a place; from the end, as they are few. */
function unread(messages: readonly LogMessage[], place: number, me: string): LogMessage[] {
  const last = messages.findLastIndex((message) => message.seq <= place);
  return messages
    .slice(last + 1)
    .filter((message) => message.senderId !== me && message.body.kind !== "deleted");
}
