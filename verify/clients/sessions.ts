/** Commands of a client's session. Each is one command line after the client's own name. */
export type Step = {
  run: string;
  /** Expected text on either output. */
  prints?: RegExp;
  /** The command is refused: it exits with another status than 0. */
  fails?: true;
  /** Volumes or snapshots that are waited for afterwards, by name: until they are `available`, or gone. */
  settles?: readonly string[];
};

/** `openstack volume ...`, with names that begin with the session's own word. */
export function openstackSession(word: string): readonly Step[] {
  const [volume, copy, clone, snapshot, type] = ["volume", "copy", "clone", "snapshot", "type"].map(
    (what) => `${word}-${what}`,
  );
  return [
    {
      run: `volume create --size 1 --property a=b ${volume} -f value -c status`,
      prints: /creating/,
      settles: [String(volume)],
    },
    { run: "volume list", prints: new RegExp(`${volume} +\\| available`) },
    { run: `volume set --property c=d --description text ${volume}` },
    { run: `volume unset --property a ${volume}` },
    { run: `volume show ${volume} -f json`, prints: /"description": "text"[\s\S]*"c": "d"/ },
    {
      run: `volume snapshot create --volume ${volume} ${snapshot} -f value -c status`,
      prints: /creating/,
      settles: [String(snapshot)],
    },
    { run: `volume create --snapshot ${snapshot} ${copy} -f value -c size`, prints: /1/, settles: [String(copy)] },
    { run: `volume create --source ${volume} ${clone} -f value -c size`, prints: /1/, settles: [String(clone)] },
    { run: `volume type create --property k=v ${type} -f value -c name`, prints: new RegExp(String(type)) },
    { run: `volume type show ${type}`, prints: /k='v'/ },
    { run: `volume type delete ${type}` },
    { run: "volume service list", prints: /cinder-scheduler/ },
    { run: `volume delete ${volume}`, prints: /snapshots/, fails: true },
    { run: `volume snapshot delete ${snapshot}`, settles: [String(snapshot)] },
    { run: `volume delete ${copy} ${clone} ${volume}`, settles: [String(copy), String(clone), String(volume)] },
    { run: `volume show ${word}-nothing`, prints: /No .*olume .*(?:exists|found)/, fails: true },
    { run: "volume create --size 0 refused", fails: true },
  ];
}

/** `cinder ...` of python-cinderclient. */
export const CINDER_SESSION: readonly Step[] = [
  { run: "create 1 --name cinder-volume --metadata a=b", prints: /creating/, settles: ["cinder-volume"] },
  { run: "list", prints: /cinder-volume/ },
  { run: "metadata cinder-volume set c=d" },
  { run: "metadata cinder-volume unset a" },
  { run: "show cinder-volume", prints: /c : d/ },
  { run: "rename cinder-volume cinder-renamed" },
  { run: "snapshot-create cinder-renamed --name cinder-snapshot", prints: /creating/, settles: ["cinder-snapshot"] },
  { run: "type-list", prints: /__DEFAULT__/ },
  { run: "quota-usage 0a0a0a0a0a0a4a0a8a0a0a0a0a0a0a0a", prints: /gigabytes/ },
  { run: "absolute-limits", prints: /maxTotalVolumes/ },
  { run: "service-list", prints: /cinder-volume/ },
  { run: "get-pools", prints: /cinderless@first/ },
  { run: "snapshot-delete cinder-snapshot", settles: ["cinder-snapshot"] },
  { run: "delete cinder-renamed", settles: ["cinder-renamed"] },
  { run: "show cinder-nothing", prints: /No volume with a name or ID/, fails: true },
];
