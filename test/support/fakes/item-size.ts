import { LARGEST_RECORD_BYTES, recordBytes } from "../../../core/byte-budget.ts";

/**
 * The limit of DynamoDB for an item, in bytes of UTF-8.
 *
 * @throws ValidationException, as DynamoDB does
 */
export function requireItemSize(record: Readonly<Record<string, unknown>>): void {
  if (recordBytes(record) > LARGEST_RECORD_BYTES) {
    const message = "Item size to update has exceeded the maximum allowed size";
    throw Object.assign(new Error(message), { name: "ValidationException" });
  }
}
