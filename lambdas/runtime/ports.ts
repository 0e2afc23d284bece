import type { AuditRepository } from "../../core/audit/kept-audit.ts";
import type { ImageCacheRepository } from "../../core/image-cache/image-cache.ts";
import type {
  BackendRepository,
  DeadLetterRepository,
  LockRepository,
  SnapshotRepository,
  VolumeRepository,
  VolumeTypeRepository,
} from "../../core/ports.ts";
import type { ProjectRepository } from "../../core/projects.ts";

/** The repositories by the name of their table in `infra/records.ts`; the audits are in the table of the projects. */
export type Repositories = {
  volumes: VolumeRepository;
  snapshots: SnapshotRepository;
  locks: LockRepository;
  volumeTypes: VolumeTypeRepository;
  backends: BackendRepository;
  deadLetters: DeadLetterRepository;
  imageCache: ImageCacheRepository;
  projects: ProjectRepository;
  audits: AuditRepository;
};

/** A repository with the methods that a function calls. Its role has the rights of their requests, and no others (docs/adr/0030). */
type Port<Name extends keyof Repositories, Repository, Method extends keyof Repository> = {
  repository: Name;
  methods: readonly Method[];
  make: () => Pick<Repository, Method>;
};

/** The ports that a function exports: as `ports`, and those that only the image-volume cache needs as `imageCachePorts`. */
export type Ports = Readonly<Record<string, { repository: keyof Repositories; methods: readonly string[] }>>;

/** The ports of tasks with these dependencies: a method that no task asks for does not compile. */
export type PortsOf<Dependencies> = {
  [Name in keyof Dependencies]?: { methods: readonly (keyof Dependencies[Name])[] };
};

/** Returns a declaration of the methods that a function calls. */
export function port<Name extends keyof Repositories, Repository extends Partial<Repositories[Name]>>(
  repository: Name,
  make: () => Repository,
) {
  return <Method extends keyof Repository & keyof Repositories[Name]>(
    ...methods: Method[]
  ): Port<Name, Repository, Method> => ({
    repository,
    methods,
    make,
  });
}

/** The repositories of the ports. By its type each has the declared methods only: a task that calls another one does not compile. */
export function made<Declared extends Readonly<Record<string, { make: () => unknown }>>>(
  ports: Declared,
): { [Name in keyof Declared]: ReturnType<Declared[Name]["make"]> } {
  const repositories = Object.entries(ports).map(([name, { make }]) => [name, make()]);
  return Object.fromEntries(repositories) as ReturnType<typeof made<Declared>>;
}
