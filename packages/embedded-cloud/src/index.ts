/** The embedded cloud for its users; the package's other entry points are parts of it for use without a deployment. */
export { holdDirectory } from "./data-directory.ts";
export {
  type EmbeddedCloud,
  EmbeddedCloudError,
  type EmbeddedCloudOptions,
  type ExecutionView,
  type HistoryEvent,
  startEmbeddedCloud,
} from "./embedded-cloud.ts";
