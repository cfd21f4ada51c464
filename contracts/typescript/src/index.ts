import { EVENT_TYPES, type Events } from "./events.js";

export * from "./events.js";

export type EventType = keyof Events;

/** A message with its type, so that `switch (message.type)` knows what `message.data` is. */
export type Message = { [T in EventType]: { readonly type: T; readonly data: Events[T] } }[EventType];

const known: ReadonlySet<string> = new Set(EVENT_TYPES);

/**
 * The message of a Kafka record: `type` is its header `ce_type`, `value` its value as text.
 *
 * Undefined for a type that is newer than this package: pass it over, and count its `ce_sequence` all the same. Throws a
 * SyntaxError where the value is no JSON. It does not validate: records are ours, and the schemas are in contracts/schemas.
 */
export function messageOf(type: string, value: string): Message | undefined {
  return known.has(type) ? ({ type, data: JSON.parse(value) } as Message) : undefined;
}
