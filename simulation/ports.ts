import type { Drivers } from "../core/drivers/driver-ports.ts";
import { driversOf } from "../adapters/driver-map.ts";
import { RemoteConnections } from "../adapters/lambda/connections.ts";
import { RemoteDriver } from "../adapters/lambda/remote-driver.ts";
import { type Backend, backendHost } from "../core/backends/backends.ts";
import { InvalidImageRef, InvalidInput } from "../core/errors.ts";
import type { FunctionName } from "../core/settings/functions.ts";
import type { RequestContext, WorkflowInput } from "../core/requests/messages.ts";
import type { Notification } from "../core/notifications/notifications.ts";
import type { SchedulerSettings } from "../core/scheduling/settings.ts";
import { membershipOf } from "../core/volumes/leave-project.ts";
import { backendView } from "../core/scheduling/backend-view.ts";
import { withinTopic } from "../core/notifications/truncate-notification.ts";
import type { Account } from "./account.ts";
import type { SimulatedBackend } from "./stores.ts";

/** The ports of a simulated account, as the functions get them. */
export type Ports = ReturnType<typeof portsOf>;

/** Methods that answer with an iteration: the call is made when its first element is asked for. */
const ITERATING: ReadonlySet<string> = new Set(["driver.listContents"]);

async function* iterated(
  account: Account,
  call: string,
  target: object,
  method: (...parameters: never[]) => unknown,
  parameters: readonly unknown[],
): AsyncGenerator {
  const elements = await account.call(
    call,
    async () => {
      const all: unknown[] = [];
      for await (const element of Reflect.apply(method, target, parameters) as AsyncIterable<unknown>) {
        all.push(element);
      }
      return all;
    },
    parameters,
  );
  yield* elements as unknown[];
}

/** Each asynchronous method is a call at which faults may strike; `name` is the port's in a cell's name. */
function watch<Port extends object>(account: Account, name: string, port: Port): Port {
  return new Proxy(port, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key);
      if (!isMethod(member)) {
        return member;
      }
      if (ITERATING.has(`${name}.${String(key)}`)) {
        return (...parameters: unknown[]) => iterated(account, `${name}.${String(key)}`, target, member, parameters);
      }
      return (...parameters: unknown[]) =>
        account.call(
          `${name}.${String(key)}`,
          async () => Reflect.apply(member, target, parameters) as unknown,
          parameters,
        );
    },
  });
}

function isMethod(member: unknown): member is (...parameters: never[]) => unknown {
  return typeof member === "function";
}

function configuredBackends({ stores }: Account): Backend[] {
  return [...stores.drivers.keys()].map((host) => ({
    host: backendHost(host),
    driver: "file",
    availability_zone: "nova",
    options: {},
    capabilities: { volume_backend_name: host.slice(host.indexOf("#") + 1) },
    reserved_percentage: 0,
    max_over_subscription_ratio: null,
  }));
}

/** The driver, whose calls have their effect and their answer when its backend does not hang any more. */
function hanging(driver: SimulatedBackend): SimulatedBackend {
  return new Proxy(driver, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key);
      if (!isMethod(member)) {
        return member;
      }
      const call = (parameters: unknown[]): unknown => Reflect.apply(member, target, parameters);
      if (ITERATING.has(`driver.${String(key)}`)) {
        return async function* (...parameters: unknown[]) {
          await target.answering();
          yield* call(parameters) as AsyncIterable<unknown>;
        };
      }
      return (...parameters: unknown[]) =>
        target.hangs ? target.answering().then(() => call(parameters)) : call(parameters);
    },
  });
}

/** Composes the ports over an account's stores, queues and executions. */
export function portsOf(account: Account) {
  const { stores } = account;
  const driverOf = (host: string): SimulatedBackend => {
    const [, driver] = [...stores.drivers].find(([each]) => backendHost(each) === host) ?? [];
    if (driver === undefined || driver.isUnbuildable) {
      throw new InvalidInput(`backend ${host}: unknown option capacityGb`);
    }
    return driver;
  };
  const clock = { now: () => account.now() };
  const watched = <Port extends object>(name: string, port: Port): Port => watch(account, name, port);
  const backends = watched("backends", stores.backends);
  const volumes = watched("volumes", stores.volumes);
  const snapshots = watched("snapshots", stores.snapshots);
  const locks = watched("locks", stores.locks);
  const volumeTypes = watched("volumeTypes", stores.volumeTypes);
  const projects = watched("projects", stores.projects);
  const queue = watched("queue", {
    send: async (message: Record<string, unknown>): Promise<void> => account.queues.send(JSON.stringify(message)),
    sendToDeadLetters: async (body: string, reason: string): Promise<void> =>
      account.queues.sendToDeadLetters(body, reason),
  });
  const work = watched("work", {
    start: async (name: FunctionName, event: Record<string, unknown>): Promise<void> => account.request(name, event),
  });
  /** Each call is one of the caller's own, at which faults may strike, and an invocation of CallDriver with calls of its own. */
  const remoteDrivers = (): Drivers =>
    driversOf(configuredBackends(account), [], ({ host }) => {
      const { fencesAttempts } = driverOf(host);
      return watched("driver", new RemoteDriver(host, fencesAttempts, (request) => account.callDriver(request)));
    });
  const images = {
    forHref: (_context: RequestContext, href: string) => {
      if (!/^[\w-]+$/.test(href)) {
        throw new InvalidImageRef(href);
      }
      return { service: watched("images", stores.imageService), imageId: href };
    },
  };
  return {
    volumes,
    snapshots,
    locks,
    volumeTypes,
    deadLetters: watched("deadLetters", stores.deadLetters),
    projects,
    audits: watched("audits", stores.audits),
    membership: membershipOf({ projects, volumes, clock }),
    queue,
    api: {
      volumes,
      snapshots,
      locks,
      volumeTypes,
      projects,
      backends,
      queue,
      imagesFor: () => images,
      work,
      connections: watched("driver", new RemoteConnections((request) => account.callDriver(request))),
      clock,
      newId: () => account.newId(),
      zones: ["nova"],
      defaultVolumeType: "__DEFAULT__",
      serviceDownSeconds: 300,
    },
    backends,
    /** A new environment's view: what an older one remembers only makes it read again. */
    candidates: () => backendView(backends, clock),
    notifier: watched("notifier", {
      era: "zed" as const,
      // As the adapter of SNS does it.
      publish: async (notification: Notification): Promise<void> => account.published(withinTopic(notification)),
    }),
    workflow: watched("workflow", {
      start: async (input: WorkflowInput): Promise<void> => account.executions.start(input),
    }),
    get drivers() {
      return driversOf(configuredBackends(account), [], ({ host }) => watched("driver", hanging(driverOf(host))));
    },
    get remoteDrivers() {
      return remoteDrivers();
    },
    get imageCache() {
      const { imageCacheSettings: settings } = stores;
      const entries = watched("imageCache", stores.imageCacheEntries);
      return settings === undefined
        ? undefined
        : { entries, volumes, snapshots, locks, backends, settingsOf: () => settings };
    },
    images,
    get configuredBackends(): Backend[] {
      return configuredBackends(account);
    },
    get settings(): SchedulerSettings {
      return stores.schedulerSettings;
    },
  };
}
