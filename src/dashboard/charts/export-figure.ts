import { saveAs } from "../parts/save.js";
import type { Marks } from "./plot-figure.js";

const WIDTH = 760;
/** Pixels of the picture per pixel of the drawing, so that it prints well. */
const SCALE = 3;

export type FigureFormat = "svg" | "png";

/** Saves a figure, redrawn at a width that fits a page. */
export async function exportFigure(
  name: string,
  format: FigureFormat,
  draw: (marks: Marks, width: number) => Element,
): Promise<void> {
  const marks = await import("./plot-marks.js");
  const svg = svgIn(draw(marks, WIDTH));
  const text = new XMLSerializer().serializeToString(svg);
  const content = new Blob([text], { type: "image/svg+xml" });
  saveAs(`${name}.${format}`, format === "svg" ? content : await rastered(svg, content));
}

/** Observable Plot puts a legend and a drawing into a figure element. */
function svgIn(drawn: Element): SVGSVGElement {
  const found = drawn instanceof SVGSVGElement ? drawn : drawn.querySelector("svg:last-of-type");
  if (!(found instanceof SVGSVGElement)) throw new Error("a figure holds one drawing");
  return found;
}

async function rastered(svg: SVGSVGElement, content: Blob): Promise<Blob> {
  const address = URL.createObjectURL(content);
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = Number(svg.getAttribute("width")) * SCALE;
    canvas.height = Number(svg.getAttribute("height")) * SCALE;
    canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob((blob) => {
        if (blob) resolve(blob);
        else reject(new Error("the browser could not write the picture"));
      }, "image/png");
    });
  } finally {
    URL.revokeObjectURL(address);
  }
}
