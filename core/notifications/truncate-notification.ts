import { bytesOf, LARGEST_MESSAGE_BYTES, messageText } from "../requests/byte-budget.ts";
import type { Notification } from "./notifications.ts";

/** Greatest size of a notification's attributes, which share its bound. */
const ATTRIBUTES_BYTES = 2_048;

/** Length of a string that had to be cut, in UTF-16 units. */
const CUT_LENGTH = 200;

type Parts = Record<string, unknown> | unknown[];

/**
 * A notification that its topic takes. One that is too large is truncated and says so: the heaviest part of its payload is emptied, then
 * the next one, and `payload.truncated` lists their paths. That is final: it is not tried again in full, because it would be too large
 * again.
 *
 * Repeated: the same notification is truncated in the same way.
 */
export function withinTopic(notification: Notification): Notification {
  if (bytesOf(messageText(notification)) <= LARGEST_MESSAGE_BYTES - ATTRIBUTES_BYTES) {
    return notification;
  }
  const payload = structuredClone(notification.payload);
  const truncated: string[] = [];
  const result = { ...notification, payload: { ...payload, truncated } };
  while (bytesOf(messageText(result)) > LARGEST_MESSAGE_BYTES - ATTRIBUTES_BYTES) {
    const path = emptyHeaviest(result.payload);
    if (path === undefined) {
      break;
    }
    truncated.push(path);
  }
  return result;
}

/** Empties the heaviest part, found by going down as long as one entry takes most of its parent. Returns its path. */
function emptyHeaviest(payload: Record<string, unknown>): string | undefined {
  let parent: Parts = payload;
  const path: string[] = [];
  for (;;) {
    const [key, value] = heaviestOf(parent, path.length === 0 ? ["truncated"] : []);
    if (key === undefined) {
      return undefined;
    }
    path.push(key);
    const isParts = typeof value === "object" && value !== null;
    const inner = isParts && !Array.isArray(value) ? heaviestOf(value as Parts, [])[1] : undefined;
    if (isParts && inner !== undefined && weightOf(inner) * 2 > weightOf(value)) {
      parent = value as Parts;
      continue;
    }
    Object.assign(parent, { [key]: emptied(value) });
    return path.join(".");
  }
}

function heaviestOf(parts: Parts, except: readonly string[]): [string, unknown] | [undefined, undefined] {
  const entries = Object.entries(parts).filter(([key, value]) => !except.includes(key) && weightOf(value) > CUT_LENGTH);
  const [heaviest] = entries.toSorted(([, one], [, other]) => weightOf(other) - weightOf(one));
  return heaviest ?? [undefined, undefined];
}

function emptied(value: unknown): unknown {
  if (typeof value === "string") {
    return `${value.slice(0, CUT_LENGTH / 10)}\u2026`;
  }
  return Array.isArray(value) ? [] : {};
}

function weightOf(value: unknown): number {
  return value === undefined ? 0 : messageText(value).length;
}
