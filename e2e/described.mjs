// Holds every frame of the suites against the WebSocket's description: what `lib.mjs` sends and hears goes through here.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import formats from "ajv-formats";

export const text = readFileSync(new URL("../api-functions/asyncapi.json", import.meta.url), "utf8");
export const description = JSON.parse(text);
/** The messages that went by, in both directions. */
export const seen = new Set();

// Not strict: the document is more than a schema.
const ajv = formats(new Ajv({ strict: false, allErrors: true })).addSchema(description, "asyncapi");
const validators = Object.fromEntries(Object.keys(description.components.messages).map((name) => [
  name,
  // Clients ignore what they do not know; here nothing goes by that is not described.
  ajv.compile({ $ref: `asyncapi#/components/messages/${name}/payload`, unevaluatedProperties: false }),
]));

/** What is wrong with a frame of the `client` or the `server`, nothing if all is right. */
export function faults(side, frame) {
  const validate = validators[`${side}.${frame.type}`];
  if (!validate) return `there is no message ${side}.${frame.type}`;
  return validate(frame) ? undefined : ajv.errorsText(validate.errors);
}

/** The frame, which is as it is described. */
export function described(side, frame) {
  const wrong = faults(side, frame);
  assert.equal(wrong, undefined, `${side}: ${JSON.stringify(frame)}: ${wrong}`);
  seen.add(`${side}.${frame.type}`);
  return frame;
}
