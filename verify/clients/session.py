"""A session of openstacksdk: what a script or Ansible does with volumes. Prints a line for each thing that holds."""

import openstack
from openstack import exceptions


def check(what, holds):
    if not holds:
        raise SystemExit(f"{what} does not hold")
    print("ok", what, flush=True)


def refused(what, error, call):
    try:
        call()
    except error:
        check(what, True)
    else:
        check(what, False)


cloud = openstack.connect()
storage = cloud.block_storage

volume = cloud.create_volume(1, name="sdk-volume", wait=True, timeout=120, metadata={"a": "b"})
check("create_volume waits until it is available", volume.status == "available")
check("a volume is found by its name", storage.find_volume("sdk-volume").id == volume.id)
check("the list has it once", [each.id for each in storage.volumes(name="sdk-volume")] == [volume.id])
storage.update_volume(volume.id, description="of the SDK")
check("its description is changed", storage.get_volume(volume.id).description == "of the SDK")
storage.set_volume_metadata(volume.id, c="d")
storage.delete_volume_metadata(volume.id, ["a"])
check("its metadata is set and unset", storage.get_volume(volume.id).metadata == {"c": "d"})

snapshot = cloud.create_volume_snapshot(volume.id, name="sdk-snapshot", wait=True, timeout=120)
check("a snapshot is taken", snapshot.status == "available")
copy = storage.create_volume(size=1, name="sdk-copy", snapshot_id=snapshot.id)
storage.wait_for_status(copy, "available", wait=120)
clone = storage.create_volume(size=1, name="sdk-clone", source_volume_id=volume.id)
storage.wait_for_status(clone, "available", wait=120)
check("volumes are made of a snapshot and of a volume", True)

kind = storage.create_type(name="sdk-type", extra_specs={"k": "v"})
check("a type is found by its name", storage.find_type("sdk-type").id == kind.id)
storage.delete_type(kind.id)
check("limits are read", storage.get_limits().absolute.max_total_volumes != 0)
check("services are listed", any(each.state == "up" for each in storage.services()))

for each in [copy, clone]:
    storage.delete_volume(each.id)
    storage.wait_for_delete(storage.get_volume(each.id), wait=120) if storage.find_volume(each.id) else None
refused("a volume with a snapshot is not deleted", exceptions.BadRequestException, lambda: storage.delete_volume(volume.id))
storage.delete_snapshot(snapshot.id)
check("an unknown volume is not found", storage.find_volume("sdk-nothing") is None)
refused("a size of 0 is refused", exceptions.BadRequestException, lambda: storage.create_volume(size=0))
