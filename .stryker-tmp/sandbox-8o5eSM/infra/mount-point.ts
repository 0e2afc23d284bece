/** Where functions that touch volumes find the file system. Lambda mounts below `/mnt` only. */
// @ts-nocheck

export const MOUNT_POINT = "/mnt/volumes";
