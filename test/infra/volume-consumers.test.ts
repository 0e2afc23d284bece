import { describe, expect, it } from "vitest";
import { exportedBackends } from "../../adapters/file/exported-backends.ts";
import { parseBackends } from "../../core/backends/backends.ts";
import { inlineTemplate, type Template } from "../../infra/inline-template.ts";
import { environmentText } from "../support/environment-text.ts";

const CONSUMERS = { volumeConsumers: { securityGroups: ["sg-0123456789abcdef0"], cidrs: ["10.20.0.0/16"] } };

function resources(template: Template, type: string): Record<string, unknown>[] {
  return Object.values(template.Resources).flatMap(({ Type, Properties = {} }) => (Type === type ? [Properties] : []));
}

/** Rules by which something gets into the file system's security group. */
function ingress(template: Template): unknown[] {
  const inline = resources(template, "AWS::EC2::SecurityGroup").flatMap(
    ({ SecurityGroupIngress = [] }) => SecurityGroupIngress as unknown[],
  );
  return [...inline, ...resources(template, "AWS::EC2::SecurityGroupIngress")];
}

const DENY_PLAIN = {
  Action: "*",
  Condition: { Bool: { "aws:SecureTransport": "false" } },
  Effect: "Deny",
  Principal: { AWS: "*" },
};

function policyOf(template: Template): unknown {
  const [fileSystem] = resources(template, "AWS::EFS::FileSystem");
  return (fileSystem?.["FileSystemPolicy"] as { Statement: unknown } | undefined)?.Statement;
}

describe("without volumeConsumers", () => {
  const template = inlineTemplate();

  it("only the functions may mount: one access point, one rule, and no statement that allows", () => {
    expect(resources(template, "AWS::EFS::AccessPoint")).toHaveLength(1);
    expect(ingress(template)).toMatchObject([
      { FromPort: 2049, ToPort: 2049, IpProtocol: "tcp", SourceSecurityGroupId: expect.anything() as unknown },
    ]);
    expect(policyOf(template)).toEqual([DENY_PLAIN]);
    expect(template.Outputs).not.toHaveProperty("VolumeConsumersAccessPointId");
  });

  it("no backend names an export, so no connection can be had", () => {
    expect(environmentText(template, "CallDriver", "FILE_SYSTEM_EXPORT")).toBe("null");
  });
});

describe("volumeConsumers", () => {
  const template = inlineTemplate(CONSUMERS);

  it("admit their security groups and ranges to NFS, and to nothing else", () => {
    const common = { FromPort: 2049, ToPort: 2049, IpProtocol: "tcp" };
    const rules = ingress(template);
    expect(rules).toHaveLength(3);
    expect(rules).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ ...common, CidrIp: "10.20.0.0/16" }),
        expect.objectContaining({ ...common, SourceSecurityGroupId: "sg-0123456789abcdef0" }),
      ]),
    );
  });

  it("make no circle of resources that need each other", () => {
    const [fileSystem] = resources(template, "AWS::EFS::FileSystem");
    expect(JSON.stringify(fileSystem?.["FileSystemPolicy"])).not.toMatch(/"Ref":"Storage/);
  });

  it("mount through the only access point, whose root has the volumes alone and whose user owns them", () => {
    expect(resources(template, "AWS::EFS::AccessPoint")).toMatchObject([
      {
        PosixUser: { Uid: "1000", Gid: "1000" },
        RootDirectory: {
          Path: "/volumes",
          CreationInfo: { OwnerUid: "1000", OwnerGid: "1000", Permissions: "700" },
        },
      },
    ]);
  });

  it("may read and write through that access point and a mount target, never as root, and with TLS only", () => {
    const anyAccessPoint = {
      "Fn::Join": [
        "",
        [
          "arn:",
          { Ref: "AWS::Partition" },
          ":elasticfilesystem:",
          { Ref: "AWS::Region" },
          ":",
          { Ref: "AWS::AccountId" },
          ":access-point/*",
        ],
      ],
    };
    expect(policyOf(template)).toEqual([
      DENY_PLAIN,
      {
        Action: ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
        Condition: {
          StringLike: { "elasticfilesystem:AccessPointArn": anyAccessPoint },
          Bool: { "elasticfilesystem:AccessedViaMountTarget": "true" },
        },
        Effect: "Allow",
        Principal: { AWS: "*" },
      },
    ]);
  });

  it("find the file system's address in a connection, and the access point in an output", () => {
    const text = environmentText(template, "CallDriver", "FILE_SYSTEM_EXPORT");
    expect(text).toMatch(/\\"export\\":\\".*FileSystem.*\.efs\..*AWS::Region.*:\/\\"/);
    expect(text).toContain('\\"mount_point\\":\\"/mnt/volumes\\"');
    expect(environmentText(template, "CreateRawVolume", "FILE_SYSTEM_EXPORT")).toBe("null");
    expect(template.Outputs["VolumeConsumersAccessPointId"]?.Value).toEqual({
      Ref: expect.stringMatching(/AccessPoint/) as string,
    });
  });

  it("get the file system's address for the backends on it that name no export", () => {
    const fileSystem = { mount_point: "/mnt/volumes", export: "fs-1.efs.eu-west-1.amazonaws.com:/" };
    const backends = parseBackends([
      { host: "node@mounted", driver: "file", options: { directory: "/mnt/volumes/a", mount_point: "/mnt/volumes" } },
      {
        host: "node@own",
        driver: "file",
        options: { directory: "/mnt/volumes/b", mount_point: "/mnt/volumes", export: "server:/own" },
      },
      { host: "node@elsewhere", driver: "file", options: { directory: "/mnt/other/c", mount_point: "/mnt/other" } },
      { host: "node@module", driver: "module", options: { mount_point: "/mnt/volumes" } },
    ]);
    const exports = exportedBackends(backends, JSON.stringify(fileSystem)).map(({ options }) => options["export"]);
    expect(exports).toEqual([fileSystem.export, "server:/own", undefined, undefined]);
    expect(exportedBackends(backends, undefined)).toBe(backends);
    expect(() => exportedBackends(backends, "{}")).toThrow(/file system export/);
  });

  it("may be given as JSON, as the command line gives them", () => {
    const given = JSON.stringify(CONSUMERS.volumeConsumers);
    expect(ingress(inlineTemplate({ volumeConsumers: given }))).toHaveLength(3);
  });

  it.each<[unknown, RegExp]>([
    [{}, /volumeConsumers must name a security group or a range/],
    ["{", /context volumeConsumers is not valid JSON/],
    [{ cidrs: ["0.0.0.0/0"] }, /cidrs must be IPv4 ranges/],
    [{ cidrs: ["10.0.0.1/16"] }, /cidrs must be IPv4 ranges/],
    [{ cidrs: ["::/0"] }, /cidrs must be IPv4 ranges/],
    [{ securityGroups: ["default"] }, /securityGroups must be ids/],
    [{ hosts: [] }, /volumeConsumers: unknown option hosts/],
    [{ cidrs: Array.from({ length: 21 }, (_, index) => `10.${index}.0.0/16`) }, /may name 20/],
  ])("are refused as %j", (volumeConsumers, message) => {
    expect(() => inlineTemplate({ volumeConsumers })).toThrow(message);
  });

  it("are refused without the stack's file system", () => {
    expect(() => inlineTemplate({ ...CONSUMERS, fileSystem: "none" })).toThrow(/fileSystem must be efs/);
  });
});
