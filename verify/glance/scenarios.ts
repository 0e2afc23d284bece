import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { VolumeRecord } from "../../core/records.ts";
import { makeDiskImage } from "../../local/demo/disk-image.ts";
import { type Account, GlanceClient, KeystoneClient, type Who } from "./clients.ts";
import { deploy, type Deployment } from "./deployment.ts";
import type { Running } from "./server-process.ts";

/** One thing that must hold. */
export type Check = { name: string; run: () => Promise<void> };

type KeepRunning = (part: { stop: () => Promise<void> }) => unknown;

/** A qcow2 image of the corpus of images, with what `qemu-img convert` makes of it. */
const QCOW2 = new URL("../../test/data/images/q2-v3-64k.qcow2.gz", import.meta.url);
const QCOW2_DISK = { bytes: 10_485_760, sha256: "ceb0fa24a85181df2bde00aebd4a344ebcba7b8a47dd16781530a480ccc41f8d" };

/** The caller, and its identification in the request. */
type Caller = { who: Who; request: { projectId: string; userId: string; authSecret?: string } };

function requireOutcome(volume: VolumeRecord, outcome: string): void {
  const found = volume.fault === null ? volume.status : volume.fault.error;
  assert.equal(found, outcome, `volume ${volume.id}: ${found}, not ${outcome}: ${volume.fault?.cause ?? ""}`);
}

/** Scenarios that hold for every kind of identification. */
function commonChecks(deployment: Deployment, glance: GlanceClient, mine: Caller, other: Caller, admin: Who): Check[] {
  const raw = makeDiskImage();
  const uploadRaw = () => glance.upload(mine.who, { name: "raw", disk_format: "raw", os_distro: "none" }, raw);
  return [
    {
      name: "a raw image becomes a volume",
      run: async () => {
        const imageId = await uploadRaw();
        const volume = await deployment.create({ imageId, ...mine.request });
        requireOutcome(volume, "available");
        assert.equal(volume.bootable, true);
        assert.equal(volume.glance_metadata["os_distro"], "none");
        const sha256 = createHash("sha256").update(raw).digest("hex");
        assert.equal(await deployment.contentOf(volume.id, raw.length), sha256);
      },
    },
    {
      name: "a qcow2 image becomes a volume",
      run: async () => {
        const content = gunzipSync(await readFile(QCOW2));
        const imageId = await glance.upload(mine.who, { name: "qcow2", disk_format: "qcow2" }, content);
        const volume = await deployment.create({ imageId, ...mine.request });
        requireOutcome(volume, "available");
        assert.equal(await deployment.contentOf(volume.id, QCOW2_DISK.bytes), QCOW2_DISK.sha256);
      },
    },
    {
      name: "an image of another project is not found",
      run: async () => {
        const imageId = await uploadRaw();
        requireOutcome(await deployment.create({ imageId, ...other.request }), "ImageNotFound");
      },
    },
    {
      name: "a shared image is there once it is accepted",
      run: async () => {
        const imageId = await glance.upload(mine.who, { name: "s", disk_format: "raw", visibility: "shared" }, raw);
        await glance.share(mine.who, imageId, other.request.projectId);
        await glance.accept(other.who, imageId, other.request.projectId);
        requireOutcome(await deployment.create({ imageId, ...other.request }), "available");
      },
    },
    {
      name: "a deactivated image is refused, and taken again when it is active",
      run: async () => {
        const imageId = await uploadRaw();
        await glance.act(admin, imageId, "deactivate");
        requireOutcome(await deployment.create({ imageId, ...mine.request }), "InvalidInput");
        await glance.act(admin, imageId, "reactivate");
        requireOutcome(await deployment.create({ imageId, ...mine.request }), "available");
      },
    },
    {
      name: "a deleted image is not found",
      run: async () => {
        const imageId = await uploadRaw();
        await glance.delete(mine.who, imageId);
        requireOutcome(await deployment.create({ imageId, ...mine.request }), "ImageNotFound");
      },
    },
  ];
}

/** Checks with the headers that keystonemiddleware would set. */
export async function checksWithTrustedHeaders(
  directory: string,
  glance: Running,
  keepRunning: KeepRunning,
): Promise<Check[]> {
  const caller = (name: string): Caller => ({
    who: trusted(name, "member,reader"),
    request: { projectId: `project-${name}`, userId: `user-${name}` },
  });
  const deployment = await deploy(join(directory, "trusted"), glance.url, { type: "trusted_headers" }, {});
  keepRunning(deployment);
  const client = new GlanceClient(glance);
  return commonChecks(deployment, client, caller("a"), caller("b"), trusted("admin", "admin,member,reader"));
}

function trusted(name: string, roles: string): Who {
  return {
    "X-Identity-Status": "Confirmed",
    "X-User-Id": `user-${name}`,
    "X-Project-Id": `project-${name}`,
    "X-Roles": roles,
  };
}

/** Checks with tokens of a Keystone: the callers' own, and those of an application credential. */
export async function checksWithKeystone(
  directory: string,
  glance: Running,
  keystone: Running,
  keepRunning: KeepRunning,
): Promise<Check[]> {
  const identities = new KeystoneClient(keystone);
  await identities.prepare();
  const [a, b, revoked, admin] = [
    await identities.account("a", "password-a", "project-a", ["member", "reader"]),
    await identities.account("b", "password-b", "project-b", ["member", "reader"]),
    await identities.account("c", "password-c", "project-c", ["member", "reader"]),
    await identities.account("d", "password-d", "project-d", ["admin", "member", "reader"]),
  ];
  const caller = (name: string, { userId, projectId, token }: Account): Caller => ({
    who: { "X-Auth-Token": token },
    request: { userId, projectId, authSecret: `cinderless/tokens/${name}` },
  });
  const secrets = Object.fromEntries(
    Object.entries({ a, b, c: revoked }).map(([name, { token }]) => [`cinderless/tokens/${name}`, { token }]),
  );
  const client = new GlanceClient(glance);
  await client.ready({ "X-Auth-Token": a.token });
  const passed = await deploy(join(directory, "passed"), glance.url, { type: "passed_token" }, secrets);
  keepRunning(passed);
  const credential = await identities.applicationCredential(admin);
  const service = await deploy(
    join(directory, "service"),
    glance.url,
    { type: "application_credential", auth_url: keystone.url, secret: "cinderless/glance" },
    { "cinderless/glance": credential },
  );
  keepRunning(service);
  const [mine, other] = [caller("a", a), caller("b", b)];
  const administrator = { "X-Auth-Token": admin.token };
  const named = (prefix: string, checks: Check[]): Check[] =>
    checks.map(({ name, run }) => ({ name: `${prefix}: ${name}`, run }));
  return [
    ...named("by the caller's token", commonChecks(passed, client, mine, other, administrator)),
    {
      name: "by the caller's token: one that was revoked is not authorised",
      run: async () => {
        const late = caller("c", revoked);
        const image = { name: "c", disk_format: "raw" };
        const imageId = await client.upload(late.who, image, makeDiskImage());
        requireOutcome(await passed.create({ imageId, ...late.request }), "available");
        await identities.revoke(revoked.token);
        requireOutcome(await passed.create({ imageId, ...late.request }), "ImageNotAuthorized");
      },
    },
    ...named("by an application credential", commonChecks(service, client, mine, other, administrator)),
  ];
}
