import { randomUUID } from "node:crypto";
import { SOUND_ZONE } from "./backends.ts";

/** One volume of the demonstration: its request and its expected end. */
export type Wish = {
  name: WishName;
  id: string;
  sizeGib: number;
  availabilityZone: string | null;
  /** Description in at most 21 characters. */
  about: string;
  expected: {
    status: "available" | "error";
    attempts: number;
    bootable: boolean;
    /** Name of the error in the volume's fault. */
    fault?: string;
  };
};

/** Names of the volumes. */
export type WishName = "raw" | "bootable" | "from-snapshot" | "clone" | "second-try" | "refused";

const CREATED = { status: "available", attempts: 1, bootable: false } as const;
const CREATED_BOOTABLE = { ...CREATED, bootable: true } as const;

/** The volumes, under new ids. */
export function makeWishes(): Record<WishName, Wish> {
  const sound = (name: WishName, sizeGib: number, about: string, expected: Wish["expected"]): Wish => ({
    name,
    id: randomUUID(),
    sizeGib,
    availabilityZone: SOUND_ZONE,
    about,
    expected,
  });
  return {
    raw: sound("raw", 1, "empty", CREATED),
    bootable: sound("bootable", 1, "from a disk image", CREATED_BOOTABLE),
    "from-snapshot": sound("from-snapshot", 1, "from a snapshot", CREATED_BOOTABLE),
    clone: sound("clone", 2, "a larger copy", CREATED_BOOTABLE),
    "second-try": {
      ...sound("second-try", 1, "first backend fails", { ...CREATED, attempts: 2 }),
      availabilityZone: null,
    },
    refused: sound("refused", 1, "qcow2 declared raw", {
      status: "error",
      attempts: 1,
      bootable: false,
      fault: "ImageUnacceptable",
    }),
  };
}
