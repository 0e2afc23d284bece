// A session of gophercloud's Block Storage packages, as Terraform and cinder-csi use them.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/attachments"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumetypes"
)

func must[T any](what string) func(T, error) T {
	return func(value T, err error) T {
		if err != nil {
			log.Fatalf("%s: %v", what, err)
		}
		fmt.Println("ok", what)
		return value
	}
}

func require(what string, err error) {
	must[struct{}](what)(struct{}{}, err)
}

func check(what string, is bool) {
	if !is {
		log.Fatalf("%s does not hold", what)
	}
	fmt.Println("ok", what)
}

func main() {
	ctx := context.Background()
	options := must[gophercloud.AuthOptions]("options")(openstack.AuthOptionsFromEnv())
	provider := must[*gophercloud.ProviderClient]("authenticate")(openstack.AuthenticatedClient(ctx, options))
	region := gophercloud.EndpointOpts{Region: os.Getenv("OS_REGION_NAME")}
	client := must[*gophercloud.ServiceClient]("endpoint")(openstack.NewBlockStorageV3(provider, region))

	volume := must[*volumes.Volume]("create a volume")(volumes.Create(ctx, client, volumes.CreateOpts{
		Size: 1, Name: "go-volume", Metadata: map[string]string{"a": "b"},
	}, nil).Extract())
	require("wait for the volume", volumes.WaitForStatus(ctx, client, volume.ID, "available"))
	volume = must[*volumes.Volume]("show the volume")(volumes.Get(ctx, client, volume.ID).Extract())
	check("the volume is as it was asked for", volume.Size == 1 && volume.Metadata["a"] == "b")
	check("the times can be read", !volume.CreatedAt.IsZero())

	pages := must[interface{ IsEmpty() (bool, error) }]("list by name")(
		volumes.List(client, volumes.ListOpts{Name: "go-volume"}).AllPages(ctx))
	empty, err := pages.IsEmpty()
	check("the list has the volume", err == nil && !empty)

	name := "go-renamed"
	volume = must[*volumes.Volume]("rename the volume")(volumes.Update(ctx, client, volume.ID, volumes.UpdateOpts{Name: &name}).Extract())
	check("the volume has the new name", volume.Name == name)

	snapshot := must[*snapshots.Snapshot]("create a snapshot")(snapshots.Create(ctx, client, snapshots.CreateOpts{
		VolumeID: volume.ID, Name: "go-snapshot",
	}).Extract())
	require("wait for the snapshot", snapshots.WaitForStatus(ctx, client, snapshot.ID, "available"))
	copied := must[*volumes.Volume]("create a volume from it")(volumes.Create(ctx, client, volumes.CreateOpts{
		Size: 1, SnapshotID: snapshot.ID, Name: "go-copy",
	}, nil).Extract())
	require("wait for the copy", volumes.WaitForStatus(ctx, client, copied.ID, "available"))

	client.Microversion = "3.44"
	attachment := must[*attachments.Attachment]("reserve the copy")(attachments.Create(ctx, client, attachments.CreateOpts{
		VolumeUUID: copied.ID, InstanceUUID: volume.ID, Connector: map[string]any{"host": "compute"},
	}).Extract())
	require("complete the attachment", attachments.Complete(ctx, client, attachment.ID).ExtractErr())
	require("wait until it is in use", volumes.WaitForStatus(ctx, client, copied.ID, "in-use"))
	require("delete the attachment", attachments.Delete(ctx, client, attachment.ID).ExtractErr())
	require("wait until it is free", volumes.WaitForStatus(ctx, client, copied.ID, "available"))
	client.Microversion = ""

	volumeType := must[*volumetypes.VolumeType]("create a type")(volumetypes.Create(ctx, client, volumetypes.CreateOpts{
		Name: "go-type", ExtraSpecs: map[string]string{"k": "v"},
	}).Extract())
	require("delete the type", volumetypes.Delete(ctx, client, volumeType.ID).ExtractErr())
	quota := must[quotasets.QuotaUsageSet]("show the quota's usage")(quotasets.GetUsage(ctx, client, os.Getenv("OS_PROJECT_ID")).Extract())
	check("the usage counts the volumes", quota.Volumes.InUse >= 2)

	require("delete the copy", volumes.Delete(ctx, client, copied.ID, nil).ExtractErr())
	require("delete the snapshot", snapshots.Delete(ctx, client, snapshot.ID).ExtractErr())
	_, err = volumes.Get(ctx, client, "00000000-0000-0000-0000-00000000abcd").Extract()
	check("an unknown volume is not found", gophercloud.ResponseCodeIs(err, http.StatusNotFound))
	_, err = volumes.Create(ctx, client, volumes.CreateOpts{Size: -1}, nil).Extract()
	check("a negative size is a bad request", gophercloud.ResponseCodeIs(err, http.StatusBadRequest))
}
