import { imageCacheId } from "../../core/image-cache/image-cache.ts";
import { plainVolumeType } from "../../test/support/records.ts";
import { START } from "../../simulation/account.ts";
import {
  FIRST_HOST,
  uuidOf,
  VOLUME,
  OTHER_VOLUME,
  SOURCE,
  SNAPSHOT,
  IMAGE,
  TYPE,
} from "../../simulation/identifiers.ts";
import {
  arrange,
  addQueued,
  castOf,
  send,
  addSource,
  addSnapshot,
  addImage,
  damageImage,
  STALE_LOCK,
  STRONG_HASH,
  metaOf,
  addCached,
  truncate,
  entryOf,
  driverOf,
  drivers,
  type Scenario,
} from "./scenario.ts";

/** Creates of every kind, which nothing disturbs. */
export const CREATES: readonly Scenario[] = [
  {
    name: "raw",
    makes: "an empty volume",
    withinSeconds: 30,
    end: "available",
    begin: (account) => {
      arrange(account);
      return send(account);
    },
  },
  {
    name: "raw, slow backend",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      arrange(account);
      drivers(account).forEach((driver) => (driver.turns = 3));
      return send(account);
    },
  },
  {
    name: "raw, of a type",
    makes: "an empty volume that its driver placed",
    end: "available",
    begin: (account) => {
      arrange(account, { volume_type_id: TYPE });
      account.stores.volumeTypes.records.set(TYPE, plainVolumeType({ id: TYPE, name: "plain" }));
      drivers(account).forEach((driver) => (driver.modelUpdate = { provider_location: "there" }));
      return send(account);
    },
  },
  {
    name: "migration target",
    makes: "an empty volume",
    end: "migration_target",
    begin: (account) => {
      arrange(account, { status: "migration_target_creating", migration_status: "target:x" });
      return send(account);
    },
  },
  {
    name: "snapshot",
    makes: "a copy of the snapshot",
    end: "available",
    begin: (account) => {
      arrange(account, { snapshot_id: SNAPSHOT });
      addSource(account);
      addSnapshot(account);
      return send(account, { snapshot_id: SNAPSHOT });
    },
  },
  {
    name: "snapshot of a bootable volume, slow backend",
    makes: "a bootable copy of the snapshot",
    end: "available",
    begin: (account) => {
      arrange(account, { snapshot_id: SNAPSHOT });
      addSource(account, { bootable: true, glance_metadata: { image_name: "cirros" } });
      addSnapshot(account);
      drivers(account).forEach((driver) => (driver.turns = 2));
      return send(account, { snapshot_id: SNAPSHOT });
    },
  },
  {
    name: "clone",
    makes: "a clone",
    end: "available",
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account);
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "clone of a bootable volume, slow backend",
    makes: "a bootable clone",
    end: "available",
    begin: (account) => {
      arrange(account, { source_volid: SOURCE });
      addSource(account, { bootable: true, glance_metadata: { image_name: "cirros" } });
      drivers(account).forEach((driver) => (driver.turns = 2));
      return send(account, { source_volid: SOURCE });
    },
  },
  {
    name: "image, downloaded",
    makes: "a volume of the image",
    withinSeconds: 30,
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account);
      drivers(account).forEach((driver) => (driver.chunks = 2));
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, downloaded, slow backend",
    makes: "a volume of the image",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account);
      for (const driver of drivers(account)) {
        // Nearly as long as a function may take, without progress that would renew a deadline.
        driver.copyTurn = () => account.time.sleep(850_000);
        driver.chunks = 2;
      }
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, cloned",
    makes: "a volume of the image",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account);
      drivers(account).forEach((driver) => (driver.clonesImages = true));
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, cloned, slow backend",
    makes: "a volume of the image",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account);
      drivers(account).forEach((driver) => {
        driver.clonesImages = true;
        driver.turns = 2;
      });
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, downloaded and cached in another one's place",
    makes: "a volume of the image",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account, STRONG_HASH);
      account.stores.imageCacheSettings = { maxCount: 1, maxSizeGib: 0 };
      // The least recently used one, with a lock of a create that has left no record, and one of which only a claim was made.
      addCached(account, 20);
      account.stores.locks.arrange({ what: "volume", id: uuidOf(20) }, { [uuidOf(21)]: STALE_LOCK });
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, cloned from the cache, slow backend",
    makes: "a volume of the image",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account, STRONG_HASH);
      account.stores.imageCacheSettings = { maxCount: 0, maxSizeGib: 0 };
      addCached(account, 20, {}, imageCacheId(FIRST_HOST, IMAGE, metaOf(account)) ?? "");
      drivers(account).forEach((driver) => (driver.turns = 2));
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image with fewer bytes than its document says",
    withinSeconds: 30,
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account);
      addImage(account);
      damageImage(account, "shorter");
      drivers(account).forEach((driver) => (driver.chunks = 2));
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image with other bytes than its document says, with a cache",
    mostCells: 200,
    withinSeconds: 30,
    end: "error",
    never: ["available"],
    begin: (account) => {
      arrange(account);
      addImage(account, STRONG_HASH);
      damageImage(account, "other bytes");
      account.stores.imageCacheSettings = { maxCount: 0, maxSizeGib: 0 };
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, downloaded because the cached volume lost bytes",
    makes: "a volume of the image",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account, STRONG_HASH);
      account.stores.imageCacheSettings = { maxCount: 0, maxSizeGib: 0 };
      addCached(account, 20, {}, imageCacheId(FIRST_HOST, IMAGE, metaOf(account)) ?? "");
      truncate(account, uuidOf(20));
      return send(account, { image_id: IMAGE });
    },
  },
  {
    name: "image, two at once, with a cache",
    makes: "a volume of the image",
    end: "available",
    begin: (account) => {
      arrange(account);
      addImage(account, STRONG_HASH);
      account.stores.imageCacheSettings = { maxCount: 0, maxSizeGib: 0 };
      addQueued(account, { id: OTHER_VOLUME });
      const other = {
        volume_id: OTHER_VOLUME,
        request_spec: { volume_id: OTHER_VOLUME, volume_properties: { size: 2 } },
      };
      account.queues.sendTogether([castOf({ image_id: IMAGE }), castOf({ ...other, image_id: IMAGE })]);
      return [VOLUME, OTHER_VOLUME];
    },
  },
  {
    name: "what dead fills of the image cache have left",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      arrange(account);
      account.stores.imageCacheSettings = { maxCount: 0, maxSizeGib: 0 };
      addCached(account, 20, { status: "creating", launched_at: null, in_flow: true });
      account.stores.imageCacheEntries.records.change(entryOf(account, 20).id, {
        state: "copying",
        lease_until: START,
      });
      addCached(account, 22);
      account.stores.imageCacheEntries.records.change(entryOf(account, 22).id, { state: "evicting" });
      account.stores.volumes.records.delete(uuidOf(22));
      driverOf(account, FIRST_HOST).volumes.delete(uuidOf(22));
      const claims = { [uuidOf(22)]: { attempt: 1, size: 2, claimed_at: START } };
      account.stores.backends.records.change(FIRST_HOST, { claims });
      return send(account);
    },
  },
  {
    name: "two in a batch",
    makes: "an empty volume",
    end: "available",
    begin: (account) => {
      arrange(account);
      addQueued(account, { id: OTHER_VOLUME });
      const other = { volume_id: OTHER_VOLUME, request_spec: { volume_id: OTHER_VOLUME, volume_properties: {} } };
      account.queues.sendTogether([castOf(), castOf(other)]);
      return [VOLUME, OTHER_VOLUME];
    },
  },
];
