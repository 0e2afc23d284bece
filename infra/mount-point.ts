/** Mount point of the file system in functions that access volumes. Lambda mounts below `/mnt` only. */
export const MOUNT_POINT = "/mnt/volumes";
