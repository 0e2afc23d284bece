/** Background: opaque, so that the picture looks the same on a light and on a dark page. */
const PAPER = "#ffffff";
const RULE = "#d5dae0";
const MARGIN = 18;
const CORNER = 12;

/** A drawing of Graphviz without its background. */
type Drawing = { body: string; width: number; height: number };

/**
 * Puts Graphviz's drawings on one sheet with round corners: the graph, and its legend below. The same drawings give the same bytes.
 *
 * @param graph SVG as Graphviz writes it, with a transparent background
 */
export function picture(title: string, graph: string, legend: string): string {
  const above = drawingIn(graph);
  const below = drawingIn(legend);
  const width = Math.ceil(Math.max(above.width, below.width)) + 2 * MARGIN;
  const ruleAt = Math.ceil(above.height) + 2 * MARGIN;
  const height = ruleAt + Math.ceil(below.height) + 2 * MARGIN;
  const legendAt = Math.round((width - below.width) / 2);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">
<title id="title">${title}</title>
<rect width="${width}" height="${height}" rx="${CORNER}" fill="${PAPER}"/>
<g transform="translate(${Math.round((width - above.width) / 2)} ${MARGIN})">
${above.body}
</g>
<path d="M${MARGIN} ${ruleAt}H${width - MARGIN}" stroke="${RULE}"/>
<g transform="translate(${legendAt} ${ruleAt + MARGIN})">
${below.body}
</g>
</svg>
`;
}

function drawingIn(svg: string): Drawing {
  const [, width, height] = /viewBox="0\.00 0\.00 ([\d.]+) ([\d.]+)"/.exec(svg) ?? [];
  const body = /<svg[^>]*>([\s\S]*)<\/svg>/.exec(svg)?.[1];
  if (body === undefined) {
    throw new Error("Graphviz drew no picture");
  }
  return { body: withoutNoise(body), width: Number(width), height: Number(height) };
}

/** Without comments, without the tooltips that repeat a name, and without ids, which two drawings share. */
function withoutNoise(body: string): string {
  return body
    .replaceAll(/<!--[\s\S]*?-->\s*/g, "")
    .replaceAll(/<title>[\s\S]*?<\/title>\s*/g, "")
    .replaceAll(/ id="[^"]*"/g, "")
    .trim();
}
