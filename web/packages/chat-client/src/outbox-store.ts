// Where what waits to be sent outlives a page. Each user's is apart: what one wrote is never sent in another's name.
import type { Entry } from "./outbox.ts";

export interface OutboxStore {
  load(userId: string): Entry[] | Promise<Entry[]>;
  /** Puts an entry in, in place of an earlier one of its message. */
  keep(userId: string, entry: Entry): void | Promise<void>;
  drop(userId: string, messageId: string): void | Promise<void>;
  /** Lets go of all that a user left. */
  clear(userId: string): void | Promise<void>;
}

export class MemoryOutbox implements OutboxStore {
  private readonly kept = new Map<string, Map<string, Entry>>();

  private of(userId: string): Map<string, Entry> {
    const there = this.kept.get(userId) ?? new Map<string, Entry>();
    this.kept.set(userId, there);
    return there;
  }

  load(userId: string): Entry[] {
    return [...this.of(userId).values()];
  }

  keep(userId: string, entry: Entry): void {
    this.of(userId).set(entry.draft.messageId, entry);
  }

  drop(userId: string, messageId: string): void {
    this.of(userId).delete(messageId);
  }

  clear(userId: string): void {
    this.kept.delete(userId);
  }
}

const PREFIX = "chat.outbox";

/** A key for each message, so that two tabs never write over each other's. Written before the call returns. */
export class LocalOutbox implements OutboxStore {
  constructor(private readonly storage: Storage) {}

  private keys(userId: string): string[] {
    const all = Array.from({ length: this.storage.length }, (_, n) => this.storage.key(n) ?? "");
    return all.filter((key) => key.startsWith(`${PREFIX}.${userId}.`));
  }

  load(userId: string): Entry[] {
    return this.keys(userId).flatMap((key) => parse(this.storage.getItem(key)) ?? []);
  }

  keep(userId: string, entry: Entry): void {
    this.storage.setItem(`${PREFIX}.${userId}.${entry.draft.messageId}`, JSON.stringify(entry));
  }

  drop(userId: string, messageId: string): void {
    this.storage.removeItem(`${PREFIX}.${userId}.${messageId}`);
  }

  clear(userId: string): void {
    this.keys(userId).forEach((key) => this.storage.removeItem(key));
  }
}

/** What is not an entry, such as one of a later version, is passed over. */
function parse(text: string | null): Entry | undefined {
  try {
    const entry = JSON.parse(text ?? "") as Partial<Entry> | null;
    const fits =
      typeof entry?.order === "number" &&
      typeof entry.draft?.roomId === "string" &&
      typeof entry.draft.messageId === "string" &&
      (entry.state?.kind === "queued" || entry.state?.kind === "refused");
    return fits ? (entry as Entry) : undefined;
  } catch {
    return undefined;
  }
}
