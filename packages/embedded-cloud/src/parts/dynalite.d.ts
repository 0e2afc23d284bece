declare module "dynalite" {
  import type { Server } from "node:http";

  /** The used options of dynalite 4; `path` is a LevelDB directory, absent for memory. */
  export interface DynaliteOptions {
    path?: string;
    createTableMs?: number;
    updateTableMs?: number;
    deleteTableMs?: number;
  }

  export default function dynalite(options?: DynaliteOptions): Server;
}
