import { MAXIMUM_MICROVERSION, MICROVERSION_UPDATED, microversionText } from "./microversions.ts";

/** The document of `GET /` and `GET /v3/`: which versions there are. Clients read it first and adapt. */
export function versionDocument(endpoint: string): unknown {
  return {
    versions: [
      {
        id: "v3.0",
        status: "CURRENT",
        version: microversionText(MAXIMUM_MICROVERSION),
        min_version: "3.0",
        updated: MICROVERSION_UPDATED,
        links: [
          { rel: "describedby", type: "text/html", href: "https://docs.openstack.org/" },
          { rel: "self", href: `${endpoint}/v3/` },
        ],
        "media-types": [{ base: "application/json", type: "application/vnd.openstack.volume+json;version=3" }],
      },
    ],
  };
}
