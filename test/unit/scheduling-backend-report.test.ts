import { describe, expect, test } from "vitest";
import { poolReports, type BackendReport } from "../../core/scheduling/backend-report.ts";

function aReport(capability: Record<string, unknown>, timestamp = "2026-01-01T00:00:00.000Z"): BackendReport {
  return { host: "h@b", cluster_name: null, availability_zone: "nova", timestamp, capability };
}

describe("pools of a report", () => {
  test("come in its order, under full names", () => {
    const reports = poolReports({
      ...aReport({ pools: [{ pool_name: "b" }, { pool_name: "a" }] }),
      cluster_name: "c@b",
    });
    expect(reports.map(({ host, cluster_name: cluster }) => [host, cluster])).toEqual([
      ["h@b#b", "c@b#b"],
      ["h@b#a", "c@b#a"],
    ]);
  });

  test.each([
    [{ volume_backend_name: "lvm" }, ["h@b#lvm"]],
    [{}, ["h@b#_pool0"]],
    [{ pools: null, volume_backend_name: "" }, ["h@b#_pool0"]],
    [{ pools: [] }, []],
    [{ pools: [{ pool_name: "a" }, {}, null, { pool_name: 5 }] }, ["h@b#a"]],
  ])("%j are %j", (capability, hosts) => {
    expect(poolReports(aReport(capability)).map(({ host }) => host)).toEqual(hosts);
  });

  test("take from the backend what they do not say", () => {
    const backend = {
      volume_backend_name: "lvm",
      vendor_name: "Open Source",
      driver_version: "1.0",
      storage_protocol: "ceph",
      filter_function: "f",
      goodness_function: "g",
      other: 1,
    };
    const [report] = poolReports(
      aReport({ ...backend, pools: [{ pool_name: "p", vendor_name: "", filter_function: null }] }),
    );
    expect(report?.capability).toEqual({
      pool_name: "p",
      volume_backend_name: "lvm",
      vendor_name: "Open Source",
      driver_version: "1.0",
      storage_protocol: "ceph",
      filter_function: null,
      goodness_function: "g",
    });
  });

  test.each([
    ["iscsi", ["iSCSI", "iscsi"]],
    ["fc", ["FC", "fibre_channel", "fc"]],
    ["NFS", ["NFS", "nfs"]],
    ["NVMeOF", ["NVMe-oF", "NVMeOF", "nvmeof"]],
    [
      ["iSCSI", "ceph", "nfs"],
      ["iSCSI", "iscsi", "ceph", "NFS", "nfs"],
    ],
    ["ceph", "ceph"],
    [undefined, null],
  ])("storage protocol %j is reported as %j", (storageProtocol, expected) => {
    const [report] = poolReports(aReport({ storage_protocol: storageProtocol }));
    expect(report?.capability["storage_protocol"]).toEqual(expected);
  });
});
