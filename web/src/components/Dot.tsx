import type { Presence } from "chat-client";

/** How somebody is; nothing where that is not known. */
export function Dot({ presence }: { presence: Presence | undefined }) {
  return presence && <span role="img" className={`dot ${presence}`} aria-label={presence} title={presence} />;
}
