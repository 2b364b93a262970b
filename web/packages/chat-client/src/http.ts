// Requests to the one origin, and the problems it answers with (RFC 9457).
import type { components } from "./api-types.ts";
import type { Environment } from "./environment.ts";
import { REQUEST_MS } from "./limits.ts";

type Schemas = components["schemas"];
export type Room = Schemas["Room"];
export type User = Schemas["User"];
export type Member = Schemas["Member"];
export type Session = Schemas["Session"];
export type OwnSession = Schemas["OwnSession"];
export type EventPage = Schemas["EventPage"];
export type Credentials = Schemas["RegisterBody"] & Schemas["LoginBody"];

export interface Page<T> {
  items: T[];
  nextCursor?: string;
}

/** A refused request, in the contract's words. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(detail);
  }
}

export interface Request {
  method?: string;
  body?: unknown;
  token?: string;
  headers?: Record<string, string>;
  /** Told the headers of an answer that is no problem. */
  answered?(headers: Headers): void;
}

export type Ask = Pick<Environment, "origin" | "fetch">;

export async function request<T>(
  { origin, fetch }: Ask,
  path: string,
  { method = "GET", body, token, headers = {}, answered }: Request = {},
): Promise<T> {
  const sent: Record<string, string> = { ...headers };
  if (token) sent["authorization"] = `Bearer ${token}`;
  if (body !== undefined) sent["content-type"] = "application/json";
  let response: Response;
  let text: string;
  try {
    response = await fetch(origin + path, {
      method,
      headers: sent,
      signal: AbortSignal.timeout(REQUEST_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch {
    throw new Problem(0, "unreachable", "The server cannot be reached.");
  }
  const answer = response.headers.get("content-type")?.includes("json") ? parse(text) : undefined;
  if (response.ok) {
    answered?.(response.headers);
    return answer as T;
  }
  const problem = (answer ?? {}) as Partial<Schemas["Problem"]>;
  throw new Problem(response.status, problem.code ?? "internal", detail(problem) ?? response.statusText);
}

function parse(text: string): unknown {
  if (!text) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Problem(0, "unreachable", "The server cannot be reached.");
  }
}

/** In words for people: of `/displayName` that it "is too long" becomes "Display name is too long." */
function detail(problem: Partial<Schemas["Problem"]>): string | undefined {
  const wrong = problem.errors?.[0];
  const name = wrong?.pointer.replace(/^[/?]/, "").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  if (!wrong || !name) return problem.detail;
  return `${name.charAt(0).toUpperCase()}${name.slice(1)} ${wrong.detail}.`;
}

/** Whether a session is over, or its access token was refused; a wrong password says nothing about either. */
export function isOver(error: unknown): boolean {
  return error instanceof Problem && error.status === 401 && error.code !== "invalid-credentials";
}

/** What went wrong, for people. */
export function words(error: unknown): string {
  return error instanceof Error ? error.message : "Something went wrong.";
}
