// What a client needs of the place it runs in, so that it runs in browsers, in Node.js and under a test's clock alike.
import { LocalOutbox, MemoryOutbox, type OutboxStore } from "./outbox-store.ts";

/** `localStorage` is one. */
export interface KeyValue {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** The part of a `WebSocket` that is used; the one of the package `ws` has it too. */
export interface Wire {
  readonly readyState: number;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: ((event: unknown) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}
export type WireConstructor = new (url: string, protocols: string[]) => Wire;

export interface Clock {
  now(): number;
  /** Does the work once after so many milliseconds, unless the answer is called first. */
  after(ms: number, work: () => void): () => void;
}

export interface Environment {
  /** Such as `https://chat.example`; `/auth`, `/api` and `/ws` are below it. */
  origin: string;
  fetch: typeof fetch;
  WebSocket: WireConstructor;
  clock: Clock;
  random(): number;
  /** Shared by all that use one session: the tabs of a browser. */
  storage: KeyValue;
  /** One at a time under a name, over all that share the storage. */
  lock<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** How the refresh token comes: as a cookie that no script sees, or in the body and so in the storage. */
  tokenDelivery: "cookie" | "body";
  outbox: OutboxStore;
}

export const CLOCK: Clock = {
  now: () => Date.now(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};

/** A page of the one origin: its tabs share the session and what waits to be sent. */
export function inBrowser(): Environment {
  return {
    origin: location.origin,
    fetch: (...request) => fetch(...request),
    WebSocket: WebSocket as unknown as WireConstructor,
    clock: CLOCK,
    random: Math.random,
    storage: localStorage,
    lock: async (name, work) => await navigator.locks.request(name, work),
    tokenDelivery: "cookie",
    outbox: new LocalOutbox(localStorage),
  };
}

/** A program: everything lives in memory unless something else is given. Node.js before 22 needs a `WebSocket`. */
export function inMemory(given: Partial<Environment> & Pick<Environment, "origin">): Environment {
  return {
    fetch: (...request) => fetch(...request),
    WebSocket: globalThis.WebSocket as unknown as WireConstructor,
    clock: CLOCK,
    random: Math.random,
    storage: memory(),
    lock: turns(),
    tokenDelivery: "body",
    outbox: new MemoryOutbox(),
    ...given,
  };
}

function memory(): KeyValue {
  const kept = new Map<string, string>();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
}

function turns(): Environment["lock"] {
  const last = new Map<string, Promise<unknown>>();
  return <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const mine = (last.get(name) ?? Promise.resolve()).then(work, work);
    last.set(name, mine);
    return mine;
  };
}
