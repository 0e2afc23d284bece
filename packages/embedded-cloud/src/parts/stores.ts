import type { DataDirectory } from "../data-directory.ts";
import { startDynamodb } from "./dynamodb.ts";
import type { DynamodbPart } from "./dynamodb.ts";
import { startMessaging } from "./messaging.ts";
import type { MessagingPart } from "./messaging.ts";

export interface StoresOptions {
  readonly ports: { readonly dynamodb?: number; readonly messaging?: number };
  readonly region: string;
  /** Without it, both live in memory. */
  readonly data: DataDirectory | undefined;
  readonly reportCrash: (line: string) => void;
  /** Receives the function that stops each started store, even when the other one does not start. */
  readonly onStarted: (stop: () => Promise<void>) => void;
}

/** Starts both stores at the same time. */
export async function startStores(
  options: StoresOptions,
): Promise<{ dynamodb: DynamodbPart; messaging: MessagingPart }> {
  const { ports, region, data, reportCrash, onStarted } = options;
  const starting = [
    startDynamodb({
      reportCrash,
      port: ports.dynamodb ?? 0,
      region,
      ...(data ? { directory: data.tables } : {}),
    }),
    startMessaging({
      reportCrash,
      port: ports.messaging ?? 0,
      region,
      ...(data ? { directory: data.messaging, objectDirectory: data.objects } : {}),
    }),
  ] as const;
  for (const result of await Promise.allSettled(starting))
    if (result.status === "fulfilled") onStarted(() => result.value.stop());
  const [dynamodb, messaging] = await Promise.all(starting);
  return { dynamodb, messaging };
}
