/** Where functions that touch volumes find the file system. Lambda mounts below `/mnt` only. */
export const MOUNT_POINT = "/mnt/volumes";
