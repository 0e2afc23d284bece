import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDbSnapshotRepository } from "../../../adapters/dynamodb/snapshot-repository.ts";
import { DynamoDbVolumeRepository } from "../../../adapters/dynamodb/volume-repository.ts";
import { NotificationNotSent } from "../../../core/errors.ts";
import type { Drivers, ImageService, ImageServices } from "../../../core/drivers/driver-ports.ts";
import type { Clock, Notifier, SchedulerQueue } from "../../../core/ports.ts";
import * as real from "../../../lambdas/runtime/composition.ts";
import { environmentVariable } from "../../../lambdas/runtime/environment.ts";
import { port } from "../../../lambdas/runtime/ports.ts";
import { imageMetaOf } from "../image-meta.ts";
import { errorRaised } from "./errors.ts";
import { log, type Plan, planNow, planOf } from "./plan.ts";
import { faultyRecords } from "./record-writes.ts";
import { SCRIPTED_DRIVER } from "./scripted-driver.ts";

/**
 * Replaces `lambdas/runtime/composition.ts` in the functions under test: the real ports, with wrappers around those that a case can make
 * fail. The ids in their calls identify the case. Exports here replace the real ones.
 */
export * from "../../../lambdas/runtime/composition.ts";

export const clock: Clock = { now: planNow };

const client = faultyRecords(new DynamoDBClient({}));

const records = () => new DynamoDbVolumeRepository({ client, tableName: environmentVariable("volumesTable"), clock });

export const volumes = port("volumes", records);

export const snapshots = port(
  "snapshots",
  () => new DynamoDbSnapshotRepository({ client, tableName: environmentVariable("snapshotsTable") }),
);

/** Hosts of the deployment keep their drivers; every other host is a case's. */
const withScriptedDriver = (configured: Drivers): Drivers => ({
  hosts: configured.hosts,
  forHost: (host) => (configured.hosts.includes(host.split("#")[0] ?? "") ? configured.forHost(host) : SCRIPTED_DRIVER),
});

export const drivers = (): Drivers => withScriptedDriver(real.drivers());

/** A case's driver needs no network, so its calls need no other function. */
export const remoteDrivers = (): Drivers => withScriptedDriver(real.remoteDrivers());

export const notifier = (): Notifier => ({
  publish: async (notification) => {
    const { event_type, publisher_id, payload } = notification;
    const plan = planOf(String(payload["volume_id"]));
    const raised = plan?.given.notify_raise[event_type.replace("volume.", "") as keyof Plan["given"]["notify_raise"]];
    if (plan !== undefined) {
      const told = { event_type, publisher_id, payload };
      log(plan, { event: "notification", notification: told, ...(raised !== undefined && { raised }) });
    }
    if (raised !== undefined) {
      throw new NotificationNotSent(event_type, `${raised}: boom`);
    }
    await real.notifier().publish(notification);
  },
});

/** A case's cast ends here, as it ended in the recording's stub: what the scheduler makes of it is another matter. */
export const queue = (): SchedulerQueue => ({
  send: async (message) => {
    const plan = planOf(String(message["volume_id"]));
    if (plan === undefined) {
      return real.queue().send(message);
    }
    const { status, host, scheduled_at } = await records().get(plan.volumeId);
    const raised = plan.given.scheduler_raise;
    log(plan, { event: "cast", message, row: { status, host, scheduled_at }, ...(raised !== undefined && { raised }) });
    if (raised !== undefined) {
      throw errorRaised(raised);
    }
  },
  sendToDeadLetters: (body, reason) => real.queue().sendToDeadLetters(body, reason),
});

export const images = (): ImageServices => ({
  forHref: (context, href) => {
    const { service, imageId } = real.images().forHref(context, href);
    const plan = planOf(imageId);
    return { service: plan === undefined ? service : scriptedImageService(plan), imageId };
  },
});

function scriptedImageService({ given }: Plan): ImageService {
  return {
    show: async (_context, imageId) => {
      if (given.image.raise.show !== undefined) {
        throw errorRaised(given.image.raise.show);
      }
      return imageMetaOf(given, imageId);
    },
    getLocation: async () => {
      if (given.image.raise.get_location !== undefined) {
        throw errorRaised(given.image.raise.get_location);
      }
      return { direct_url: null, locations: [] };
    },
    openRange: async () => {
      throw new Error("No case reads an image: the scripted driver copies none");
    },
  };
}
