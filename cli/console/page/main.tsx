import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { AlarmsPage } from "./alarms.tsx";
import { takeToken } from "./api.ts";
import { AuditPage } from "./audit.tsx";
import { BackendsPage } from "./backends.tsx";
import { DeadLettersPage } from "./dead-letters.tsx";
import { ErrorsPage } from "./errors.tsx";
import { VolumePage } from "./volume.tsx";
import { VolumesPage } from "./volumes.tsx";

const PAGES = [
  { path: "/volumes", title: "Volumes", Page: VolumesPage },
  { path: "/backends", title: "Backends", Page: BackendsPage },
  { path: "/alarms", title: "Alarms", Page: AlarmsPage },
  { path: "/dead-letters", title: "Dead letters", Page: DeadLettersPage },
  { path: "/audit", title: "Audit", Page: AuditPage },
] as const;

type Path = (typeof PAGES)[number]["path"];

function App() {
  const route = useRoute();
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const { path, id, error } = route;
  const { title, Page } = PAGES.find((page) => page.path === path) ?? PAGES[0];
  useEffect(() => {
    document.title = `${title} – Cinderless`;
    // After following a link, the focus moves to the new page, for screen readers.
    if (!isFirst.current) {
      main.current?.focus();
      scrollTo(0, 0);
    }
    isFirst.current = false;
  }, [path, id, title, error]);
  return (
    <>
      <header>
        <a class="skip" href={location.hash} onClick={(event) => (event.preventDefault(), main.current?.focus())}>
          Skip to the content
        </a>
        <p class="brand">
          <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
            <rect width="32" height="32" rx="8" />
            <path d="M9 9h14v3.4H9zm0 5.3h14v3.4H9zm0 5.3h9V23H9z" />
          </svg>
          Cinderless
        </p>
        <nav aria-label="Pages">
          {PAGES.map((page) => (
            <a key={page.path} href={`#${page.path}`} aria-current={page.path === path ? "page" : undefined}>
              {page.title}
            </a>
          ))}
        </nav>
      </header>
      <main ref={main} tabIndex={-1}>
        {path === "/errors" ? (
          <ErrorsPage name={error} />
        ) : id === undefined ? (
          <Page />
        ) : (
          <VolumePage key={id} id={id} />
        )}
      </main>
    </>
  );
}

type Route = { path: Path | "/errors"; id?: string; error?: string };

/** The page that the address names; any other address is that of the volumes. */
function useRoute(): Route {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const onChange = (): void => {
      takeToken();
      setRoute(readRoute());
    };
    addEventListener("hashchange", onChange);
    return () => removeEventListener("hashchange", onChange);
  }, []);
  return route;
}

function readRoute(): Route {
  const id = /^#\/volumes\/(?<id>[\w-]+)$/.exec(location.hash)?.groups?.["id"];
  if (id !== undefined) {
    return { path: "/volumes", id };
  }
  const error = /^#\/errors(?:\/(?<name>[\w.%-]+))?$/.exec(location.hash);
  if (error !== null) {
    const name = error.groups?.["name"];
    return { path: "/errors", ...(name !== undefined && { error: decodeURIComponent(name) }) };
  }
  return { path: PAGES.find(({ path }) => location.hash === `#${path}`)?.path ?? "/volumes" };
}

takeToken();
const place = document.querySelector("#app");
if (place !== null) {
  render(<App />, place);
}
