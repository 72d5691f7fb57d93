import type { ClassEntry } from '../classmap/class-entry.ts';
import { colourChannels } from '../classmap/palette.ts';
import {
  createPicture,
  drawText,
  fillRectangle,
  fitText,
  type Picture,
  textHeight,
  textWidth,
  writePicture,
} from '../picture/picture.ts';
import type { Window } from '../raster/grid.ts';
import { throwIfCancelled } from '../report/problem.ts';

export interface PreviewRequest {
  /** Pixels of what the readers give: a scene, or one of its overviews. */
  width: number;
  height: number;
  /** Red, green, blue of a window, `[3, height, width]`, 0-255. */
  readColours(window: Window): Promise<Uint8Array>;
  /** Class ids of a window, `[height · width]`, 0 for unclassified. */
  readClasses(window: Window): Promise<Uint8Array | Uint16Array>;
  classes: readonly ClassEntry[];
  /** Headings of the two halves. */
  sceneTitle?: string;
  mapTitle?: string;
  /** One line at the bottom, for instance that the labels mean nothing. */
  note?: string;
}

const longestSide = 1600;
const margin = 16;
const textScale = 2;
const background = [255, 255, 255] as const;
const ink = [34, 34, 34] as const;

/** Pixels read at a time: a few rows of any scene. */
const stripPixels = 4 * 1024 * 1024;

/** How much of the map's colour lies over the scene: classes stay unmistakable, roofs and field edges stay visible. */
const mapOpacity = 0.72;

/** More lines than this say nothing in a legend. */
const mostLegendEntries = 40;

/**
 * The scene beside its map with a legend and every class's share, at most 1600 pixels on the long side; wide scenes stand
 * one above the other. Reads each pixel once, in strips of rows.
 */
export async function drawPreview(request: PreviewRequest, signal?: AbortSignal): Promise<Picture> {
  const { width, height, classes, sceneTitle = 'Scene', mapTitle = 'Map', note } = request;
  const line = textHeight(textScale) + 8;
  const stacked = width > 1.8 * height;
  const shown = classes.slice(0, mostLegendEntries);
  const columnWidth = legendColumnWidth(shown);
  const noteLines = note === undefined ? 0 : 1;

  // The frame around the panels depends on their width through the legend's columns: shrink until both sides fit.
  let scale = Math.min(1, 760 / Math.max(width, height));
  let layout = arrange(scale);
  for (let attempt = 0; attempt < 8 && Math.max(layout.width, layout.height) > longestSide; attempt++) {
    scale *= (longestSide / Math.max(layout.width, layout.height)) * 0.98;
    layout = arrange(scale);
  }
  function arrange(factor: number) {
    const panelWidth = Math.max(1, Math.round(width * factor));
    const panelHeight = Math.max(1, Math.round(height * factor));
    const inner = Math.max(stacked ? panelWidth : 2 * panelWidth + margin, 320);
    const columns = Math.max(1, Math.floor(inner / columnWidth));
    const rows = Math.ceil((shown.length + (classes.length > shown.length ? 1 : 0) + 1) / columns);
    const panels = stacked ? 2 * (panelHeight + line) + margin : panelHeight + line;
    return {
      panelWidth,
      panelHeight,
      columns,
      rows,
      width: inner + 2 * margin,
      height: 2 * margin + panels + margin + (rows + noteLines) * line,
    };
  }

  const { panelWidth, panelHeight } = layout;
  const picture = createPicture(layout.width, layout.height, background);
  const top = margin + line;
  const mapLeft = stacked ? margin : margin + panelWidth + margin;
  const mapTop = stacked ? top + panelHeight + margin + line : top;
  drawText(picture, margin, margin, fitText(sceneTitle, panelWidth, textScale), ink, textScale);
  drawText(picture, mapLeft, mapTop - line, fitText(mapTitle, panelWidth, textScale), ink, textScale);

  const counts = await drawPanels(
    request,
    picture,
    [margin, top],
    [mapLeft, mapTop],
    panelWidth,
    panelHeight,
    signal,
  );

  const legendTop = mapTop + panelHeight + margin;
  const total = width * height;
  const entries = shown.map(({ id, name, colour }) => ({ name, colour, share: (counts[id] ?? 0) / total }));
  if (counts[0]! > 0)
    entries.push({ name: 'unclassified', colour: '#ffffff', share: (counts[0] ?? 0) / total });
  entries.forEach(({ name, colour, share }, index) => {
    const x = margin + (index % layout.columns) * columnWidth;
    const y = legendTop + Math.floor(index / layout.columns) * line;
    const box = textHeight(textScale) - 2;
    fillRectangle(picture, x, y, box, box, ink);
    fillRectangle(picture, x + 1, y + 1, box - 2, box - 2, colourChannels(colour));
    const text = fitText(name, columnWidth - box - 8 - textWidth(' 100.0 % ', textScale), textScale);
    drawText(picture, x + box + 8, y, `${text} ${(100 * share).toFixed(1)} %`, ink, textScale);
  });
  if (classes.length > shown.length) {
    const x = margin + (entries.length % layout.columns) * columnWidth;
    const y = legendTop + Math.floor(entries.length / layout.columns) * line;
    drawText(picture, x, y, `and ${classes.length - shown.length} more`, ink, textScale);
  }
  if (note !== undefined) {
    const y = layout.height - margin - line;
    drawText(
      picture,
      margin,
      y,
      fitText(note, layout.width - 2 * margin, textScale),
      [170, 40, 20],
      textScale,
    );
  }
  return picture;
}

/** Draws the preview and writes it as PNG. Throws `Problem`. */
export async function writePreview(
  request: PreviewRequest,
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  await writePicture(await drawPreview(request, signal), path);
}

function legendColumnWidth(classes: readonly ClassEntry[]): number {
  const longest = Math.max(
    textWidth('unclassified', textScale),
    ...classes.map(({ name }) => textWidth(name, textScale)),
  );
  return Math.min(longest, 320) + textWidth(' 100.0 % ', textScale) + textHeight(textScale) + 24;
}

/** Fills both panels by averaging colours and taking the most frequent class; returns the pixels of every class id. */
async function drawPanels(
  request: PreviewRequest,
  picture: Picture,
  scenePlace: readonly [number, number],
  mapPlace: readonly [number, number],
  panelWidth: number,
  panelHeight: number,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { width, height, classes } = request;
  const highest = classes.reduce((most, { id }) => Math.max(most, id), 0);
  const colours = new Uint8Array(3 * (highest + 1)).fill(255);
  for (const { id, colour } of classes) colours.set(colourChannels(colour), 3 * id);
  const counts = new Float64Array(highest + 1);
  const votes = new Float64Array(highest + 1);
  const touched = new Uint16Array(highest + 1);
  const firstColumn = Int32Array.from({ length: panelWidth + 1 }, (_, i) =>
    Math.floor((i * width) / panelWidth),
  );
  const firstRow = Int32Array.from({ length: panelHeight + 1 }, (_, i) =>
    Math.floor((i * height) / panelHeight),
  );
  const perStrip = Math.max(1, Math.floor(stripPixels / width / Math.max(1, height / panelHeight)));
  for (let start = 0; start < panelHeight; start += perStrip) {
    throwIfCancelled(signal);
    const end = Math.min(panelHeight, start + perStrip);
    const rowStart = firstRow[start]!;
    const window: Window = { column: 0, row: rowStart, width, height: firstRow[end]! - rowStart };
    const rgb = await request.readColours(window);
    const ids = await request.readClasses(window);
    const plane = width * window.height;
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!;
      counts[id <= highest ? id : 0]!++;
    }
    for (let y = start; y < end; y++) {
      for (let x = 0; x < panelWidth; x++) {
        let red = 0;
        let green = 0;
        let blue = 0;
        let pixels = 0;
        let distinct = 0;
        for (let row = firstRow[y]! - rowStart; row < firstRow[y + 1]! - rowStart; row++) {
          for (let column = firstColumn[x]!; column < firstColumn[x + 1]!; column++) {
            const i = row * width + column;
            red += rgb[i]!;
            green += rgb[plane + i]!;
            blue += rgb[2 * plane + i]!;
            pixels++;
            const id = ids[i]! <= highest ? ids[i]! : 0;
            if (votes[id] === 0) touched[distinct++] = id;
            votes[id]!++;
          }
        }
        let winner = 0;
        let most = 0;
        for (let n = 0; n < distinct; n++) {
          const id = touched[n]!;
          if (votes[id]! > most) {
            most = votes[id]!;
            winner = id;
          }
          votes[id] = 0;
        }
        const colour = [red / pixels, green / pixels, blue / pixels];
        const grey = 0.3 * colour[0]! + 0.59 * colour[1]! + 0.11 * colour[2]!;
        const sceneAt = 3 * ((scenePlace[1] + y) * picture.width + scenePlace[0] + x);
        const mapAt = 3 * ((mapPlace[1] + y) * picture.width + mapPlace[0] + x);
        for (let channel = 0; channel < 3; channel++) {
          picture.pixels[sceneAt + channel] = Math.round(colour[channel]!);
          picture.pixels[mapAt + channel] = Math.round(
            mapOpacity * colours[3 * winner + channel]! + (1 - mapOpacity) * grey,
          );
        }
      }
    }
  }
  return counts;
}
