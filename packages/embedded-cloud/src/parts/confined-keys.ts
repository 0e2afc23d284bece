import type { FauxqsInternals, ObjectPersistence } from "./fauxqs-internals.ts";

/** A name that leads out of its directory, or back into it by another path. */
const ESCAPING = /(?:^|[/\\])\.\.?(?:[/\\]|$)/;

/**
 * The same persistence, which refuses names of buckets and objects that would leave its directory. fauxqs joins a key to a path unchanged,
 * whatever its origin: the address, a form, the body of DeleteObjects, a header of RenameObject.
 */
export function confineKeys(objects: ObjectPersistence, S3Error: FauxqsInternals["S3Error"]): ObjectPersistence {
  const check = (...names: readonly string[]): void => {
    const escaping = names.find((name) => ESCAPING.test(name));
    if (escaping === undefined) return;
    const message = "Names with . or .. segments are not supported by the embedded cloud";
    throw new S3Error("InvalidArgument", message, 400);
  };
  return Object.assign(Object.create(objects) as ObjectPersistence, {
    insertBucket: (name, ...rest) => {
      check(name);
      objects.insertBucket(name, ...rest);
    },
    upsertObject: (bucket, object) => {
      check(object.key);
      try {
        objects.upsertObject(bucket, object);
      } catch (error) {
        // A full disk leaves partial bytes, which no listing would show.
        objects.deleteObject(bucket, object.key);
        throw error;
      }
    },
    deleteObject: (bucket, key) => {
      check(key);
      objects.deleteObject(bucket, key);
    },
    renameObject: (bucket, from, to) => {
      check(from, to);
      objects.renameObject(bucket, from, to);
    },
    readBody: (bucket, key) => {
      check(key);
      return objects.readBody(bucket, key);
    },
    insertMultipartUpload: (upload) => {
      check(upload.key);
      objects.insertMultipartUpload(upload);
    },
  } satisfies Partial<ObjectPersistence>);
}
