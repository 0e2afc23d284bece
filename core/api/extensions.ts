import { notFound } from "./errors.ts";
import type { Answer, Call } from "./http.ts";

/** An extension of Cinder's API whose resources or fields are here. */
export type Extension = { name: string; alias: string; description: string; updated: string };

/** Extensions as Cinder lists them (cinder/api/contrib). Clients look for aliases before they use a feature. */
export const EXTENSIONS: readonly Extension[] = [
  {
    name: "VolumeImageMetadata",
    alias: "os-vol-image-meta",
    description: "Show image metadata associated with the volume.",
    updated: "2012-12-07T00:00:00+00:00",
  },
  {
    name: "ExtendedSnapshotAttributes",
    alias: "os-extended-snapshot-attributes",
    description: "Extended SnapshotAttributes support.",
    updated: "2012-06-19T00:00:00+00:00",
  },
  {
    name: "UsedLimits",
    alias: "os-used-limits",
    description: "Provide data on limited resources that are being used.",
    updated: "2013-10-03T00:00:00+00:00",
  },
  {
    name: "Quotas",
    alias: "os-quota-sets",
    description: "Quota management support.",
    updated: "2011-08-08T00:00:00+00:00",
  },
  {
    name: "QuotaClasses",
    alias: "os-quota-class-sets",
    description: "Quota classes management support.",
    updated: "2012-03-12T00:00:00+00:00",
  },
  { name: "Services", alias: "os-services", description: "Services support.", updated: "2012-10-28T00:00:00-00:00" },
  {
    name: "Hosts",
    alias: "os-hosts",
    description: "Admin-only host administration.",
    updated: "2011-06-29T00:00:00+00:00",
  },
  {
    name: "AvailabilityZones",
    alias: "os-availability-zone",
    description: "Describe Availability Zones.",
    updated: "2013-06-27T00:00:00+00:00",
  },
  {
    name: "VolumeActions",
    alias: "os-volume-actions",
    description: "Enable volume actions.",
    updated: "2012-05-31T00:00:00+00:00",
  },
  {
    name: "TypesExtraSpecs",
    alias: "os-types-extra-specs",
    description: "Type extra specs support.",
    updated: "2011-08-24T00:00:00+00:00",
  },
  {
    name: "TypesManage",
    alias: "os-types-manage",
    description: "Types manage support.",
    updated: "2011-08-24T00:00:00+00:00",
  },
  {
    name: "Scheduler_stats",
    alias: "scheduler-stats",
    description: "Scheduler stats support.",
    updated: "2014-09-07T00:00:00+00:00",
  },
  {
    name: "Capabilities",
    alias: "capabilities",
    description: "Capabilities support.",
    updated: "2015-08-31T00:00:00+00:00",
  },
];

/** `GET /extensions` */
export function listExtensions(extensions: readonly Extension[]): Answer {
  return { status: 200, body: { extensions: extensions.map((extension) => ({ ...extension, links: [] })) } };
}

/** `GET /extensions/{alias}` */
export function showExtension(extensions: readonly Extension[], { params }: Call): Answer {
  const extension = extensions.find(({ alias }) => alias === params["alias"]);
  if (extension === undefined) {
    throw notFound("The resource could not be found.");
  }
  return { status: 200, body: { extension: { ...extension, links: [] } } };
}
