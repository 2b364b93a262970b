// Requests to the one origin, and the problems it answers with (RFC 9457).
import type { components } from "../../packages/chat-client/src/api-types";

export type Room = components["schemas"]["Room"];
export type Message = components["schemas"]["Message"];
export type User = components["schemas"]["User"];
export type Session = components["schemas"]["Session"];
export type Credentials = components["schemas"]["RegisterBody"] & components["schemas"]["LoginBody"];

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
}

export async function request<T>(
  path: string,
  { method = "GET", body, token, headers = {} }: Request = {},
): Promise<T> {
  const sent: Record<string, string> = { ...headers };
  if (token) sent["authorization"] = `Bearer ${token}`;
  if (body !== undefined) sent["content-type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: sent,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Problem(0, "unreachable", "The server cannot be reached.");
  }
  const text = await response.text();
  const answer: unknown =
    text && response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : undefined;
  if (response.ok) return answer as T;
  const problem = (answer ?? {}) as Partial<components["schemas"]["Problem"]>;
  throw new Problem(response.status, problem.code ?? "internal", detail(problem) ?? response.statusText);
}

/** In words for people: of `/displayName` that it "is too long" becomes "Display name is too long." */
function detail(problem: Partial<components["schemas"]["Problem"]>): string | undefined {
  const wrong = problem.errors?.[0];
  const name = wrong?.pointer.replace(/^[/?]/, "").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  if (!wrong || !name) return problem.detail;
  return `${name.charAt(0).toUpperCase()}${name.slice(1)} ${wrong.detail}.`;
}

export function words(error: unknown): string {
  return error instanceof Problem ? error.message : "Something went wrong.";
}
