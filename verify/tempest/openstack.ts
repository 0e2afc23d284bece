import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { EmbeddedCloud } from "@cinderless/embedded-cloud";
import { DynamoDbBackendRepository } from "../../adapters/dynamodb/backend-repository.ts";
import { startCinderless } from "../../local/cinderless.ts";
import { waitForBackends } from "../../local/backends-ready.ts";
import { GlanceClient, KeystoneClient } from "../glance/clients.ts";
import { KEYSTONE_ADMIN, startGlance, startKeystone } from "../glance/openstack.ts";
import type { Configuration } from "./configuration.ts";

/** Service user as whom the functions download images. */
const CINDER_USER = { user: "cinder", password: "cinderpw", project: "cinder-service" };

const REPORTS_MS = 60_000;

const SECRET = "cinderless/glance";

/** Starts Keystone, Glance and the embedded cloud with the API, and says how Tempest reaches them. */
export async function startOpenStack(
  directory: string,
  keepRunning: (stop: () => Promise<void>) => unknown,
): Promise<Configuration> {
  const keystone = await startKeystone(join(directory, "keystone"));
  keepRunning(keystone.stop);
  const glance = await startGlance(join(directory, "glance"), keystone);
  keepRunning(glance.stop);
  const identities = new KeystoneClient(keystone);
  await identities.prepare();
  await identities.account(CINDER_USER.user, CINDER_USER.password, CINDER_USER.project, ["admin"]);
  const { cloud, stop } = await startCinderless({
    directory: join(directory, "cinderless"),
    context: {
      blockStorageApi: { auth: "keystone", auth_url: keystone.url },
      image_services: {
        glance: {
          api_servers: [glance.url],
          auth: {
            type: "password",
            auth_url: keystone.url,
            username: CINDER_USER.user,
            project_name: CINDER_USER.project,
            secret: SECRET,
          },
        },
      },
    },
    functionEnvironment: { CINDERLESS_SECRETS: JSON.stringify({ [SECRET]: { password: CINDER_USER.password } }) },
  });
  keepRunning(stop);
  await waitForReports(cloud);
  const volumeUrl = cloud.outputs["BlockStorageApiUrl"] ?? "";
  await identities.endpoint("image", "glance", glance.url);
  await identities.endpoint("volumev3", "cinderv3", `${volumeUrl}/%(project_id)s`);
  await identities.endpoint("block-storage", "cinder", `${volumeUrl}/%(project_id)s`);
  const images = await uploadImages(identities, new GlanceClient(glance));
  return { keystoneUrl: `${keystone.url}/v3`, images };
}

/** The scheduler places nothing on a backend that has not reported. */
async function waitForReports({ endpoints, outputs }: EmbeddedCloud): Promise<void> {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new DynamoDBClient({ endpoint: endpoints.dynamodb, region: "us-east-1", credentials });
  const clock = { now: () => new Date() };
  const backends = new DynamoDbBackendRepository({
    client,
    tableName: outputs["BackendsTableName"] ?? "",
    claimsTableName: outputs["ClaimsTableName"] ?? "",
    clock,
  });
  const missing = await waitForBackends(backends, ["cinderless@first", "cinderless@second"], new Date(0), REPORTS_MS);
  client.destroy();
  if (missing.length > 0) {
    throw new Error(`no report of ${missing.join(", ")} after ${REPORTS_MS / 1000} s`);
  }
}

/** Two small images that everybody may use. */
async function uploadImages(identities: KeystoneClient, glance: GlanceClient): Promise<[string, string]> {
  const { token } = await identities.signIn(KEYSTONE_ADMIN.user, KEYSTONE_ADMIN.password, KEYSTONE_ADMIN.project);
  const admin = { "X-Auth-Token": token };
  await glance.ready(admin);
  const upload = (name: string): Promise<string> =>
    glance.upload(
      admin,
      { name, disk_format: "raw", visibility: "public", hw_disk_bus: "scsi" },
      randomBytes(1024 * 1024),
    );
  return [await upload("tiny-one"), await upload("tiny-two")];
}
