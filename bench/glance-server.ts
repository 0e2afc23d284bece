import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A served image: its document as Glance answers it, and the file with its bytes. */
export type ServedImage = { document: { id: string }; file: string };

/**
 * The part of Glance v2 that a create reads, in its own process: `node bench/glance-server.ts IMAGES`, with the list of images as JSON,
 * prints its URL and serves until it is killed. A simple server gives the same figures as Glance, because the client is the limit.
 */
const images = JSON.parse(process.argv[2] ?? "[]") as ServedImage[];
const CHUNK_BYTES = 2 ** 20;

const server = createServer((request, response) => {
  void serve(request.url ?? "", request.headers.range);

  async function serve(url: string, range: string | undefined): Promise<void> {
    const [, id, file] = /^\/v2\/images\/([^/]+)(\/file)?$/.exec(url) ?? [];
    const image = images.find(({ document }) => document.id === id);
    if (image === undefined) {
      response.writeHead(404).end();
      return;
    }
    if (file === undefined) {
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(image.document));
      return;
    }
    const { size } = await stat(image.file);
    const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
    const start = Number(from);
    const end = to === "" ? size - 1 : Math.min(size - 1, Number(to));
    const headers = { "Content-Length": end - start + 1, "Content-Type": "application/octet-stream" };
    const partial = { ...headers, "Content-Range": `bytes ${start}-${end}/${size}` };
    response.writeHead(range === undefined ? 200 : 206, range === undefined ? headers : partial);
    createReadStream(image.file, { start, end, highWaterMark: CHUNK_BYTES }).pipe(response);
  }
});

server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
