import { parseClasses } from '../../../src/worker/classmap/classes.ts';
import { decisionRule } from '../../../src/worker/classmap/decide.ts';
import type { Window } from '../../../src/worker/raster/grid.ts';
import type { SegmentSceneRequest } from '../../../src/worker/steps/segment.ts';
import { WindowRows } from '../../../src/worker/steps/window-rows.ts';
import { planWindows } from '../../../src/worker/tile/plan.ts';
import type { WindowScorer } from '../../../src/worker/tile/window-scorer.ts';

/** A number 0-1 that depends on the position alone. */
function noise(column: number, row: number, salt: number): number {
  let hash = Math.imul(column, 0x9e3779b1) ^ Math.imul(row, 0x85ebca6b) ^ Math.imul(salt, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

/** Nodata: a corner, a disc, a wide strip and stray pixels. */
export function isValid(column: number, row: number, width: number, height: number): boolean {
  if (column + row < 30) return false;
  const disc = (column - width / 2) ** 2 + (row - height / 3) ** 2;
  if (disc < 200) return false;
  if (row > height * 0.6 && row < height * 0.75 && column > width * 0.5) return false;
  return noise(column, row, 9) > 0.01;
}

/** Colours 0-255 and validity of working pixels, functions of their position. */
export function workingColour(channel: number, column: number, row: number): number {
  const coarse = noise(Math.floor(column / 9), Math.floor(row / 6), channel);
  return Math.round(255 * (0.8 * coarse + 0.2 * noise(column, row, channel + 3)));
}

/** Whether a working pixel has a valid scene pixel under it. */
export function workingValid(
  column: number,
  row: number,
  scale: number,
  width: number,
  height: number,
): boolean {
  const last = (position: number, size: number): number =>
    Math.min(size - 1, Math.ceil((position + 1) * scale) - 1);
  for (let y = Math.floor(row * scale); y <= last(row, height); y++) {
    for (let x = Math.floor(column * scale); x <= last(column, width); x++) {
      if (isValid(x, y, width, height)) return true;
    }
  }
  return false;
}

/**
 * A cheap scorer. Like a real one it depends on the place inside the window, so that overlapping windows disagree.
 */
export function fakeScorer(words: number, delay: () => Promise<unknown> = async () => {}): WindowScorer {
  return {
    words,
    async score(pixels, height, width) {
      const plane = height * width;
      const scores = new Float32Array(words * plane);
      for (let word = 0; word < words; word++) {
        for (let at = 0; at < plane; at++) {
          const inside = ((at % width) * 7 + Math.floor(at / width) * 3 + word * 5) % 11;
          scores[word * plane + at] =
            0.1 * pixels[(word % 3) * plane + at]! * (word % 2 === 0 ? 1 : -1) + 0.003 * inside + 0.01 * word;
        }
      }
      await delay();
      return scores;
    },
  };
}

/** Scene pixels, and how many of them go into a working pixel. */
export interface SyntheticSize {
  width: number;
  height: number;
  scale: number;
}

export interface SyntheticSettings extends SyntheticSize {
  classes: string;
  threshold: number;
  background: string | null;
}

/** Working pixels of the synthetic scene, and what the scorers get of them. */
export function workingPixels({ width, height, scale }: SyntheticSize) {
  return {
    working: {
      async read(window: Window) {
        const plane = window.width * window.height;
        const pixels = new Float32Array(3 * plane);
        const valid = new Uint8Array(plane);
        for (let at = 0; at < plane; at++) {
          const column = window.column + (at % window.width);
          const row = window.row + Math.floor(at / window.width);
          valid[at] = workingValid(column, row, scale, width, height) ? 1 : 0;
          for (let channel = 0; channel < 3; channel++) {
            pixels[channel * plane + at] = workingColour(channel, column, row);
          }
        }
        return { pixels, valid };
      },
    },
    normalise(pixels: Float32Array, valid: Uint8Array) {
      const plane = valid.length;
      for (let at = 0; at < pixels.length; at++) {
        pixels[at] = valid[at % plane] === 0 ? 0 : (pixels[at]! - 120) / 60;
      }
      return pixels;
    },
  };
}

/** Rows of the synthetic scene's scores, from windows of 40 pixels every 20 unless told otherwise. */
export function windowRows(
  size: SyntheticSize,
  scorers: readonly WindowScorer[],
  { window = 40, stride = 20, memoryBytes }: Partial<SegmentSceneRequest> = {},
): WindowRows {
  const { width, height, scale } = size;
  const plan = planWindows(Math.ceil(width / scale), Math.ceil(height / scale), window, stride);
  return new WindowRows({ plan, ...workingPixels(size), scorers, memoryBytes });
}

/** A whole request over a synthetic scene, for a folder of outputs; overrides as they please. */
export function syntheticRequest(
  folder: string,
  settings: SyntheticSettings,
  overrides: Partial<SegmentSceneRequest> = {},
): SegmentSceneRequest {
  const { width, height, scale } = settings;
  const classes = parseClasses(settings.classes);
  const rule = decisionRule(classes, settings.threshold, settings.background);
  const working = { width: Math.ceil(width / scale), height: Math.ceil(height / scale), scale };
  return {
    scene: {
      header: {
        path: 'synthetic',
        format: 'synthetic',
        grid: { width, height, transform: [1000, 2, 0, 9000, 0, -2], crs: null },
        bands: [],
        overviews: [],
        groundSampleDistance: null,
        details: {},
      },
      async read(window: Window) {
        const valid = new Uint8Array(window.width * window.height);
        for (let at = 0; at < valid.length; at++) {
          const column = window.column + (at % window.width);
          const row = window.row + Math.floor(at / window.width);
          valid[at] = isValid(column, row, width, height) ? 1 : 0;
        }
        return { width: window.width, height: window.height, planes: [], valid };
      },
    },
    bands: [0, 1, 2],
    workingGrid: working,
    rows: overrides.rows ?? windowRows(settings, [fakeScorer(rule.wordClasses.length)], overrides),
    window: 40,
    stride: 20,
    extent: null,
    rule,
    provenance: {
      program: 'Landscribe',
      version: '0',
      date: '2026-01-01T00:00:00Z',
      scene: 'synthetic',
      sceneFingerprint: 'f',
      pack: 'none',
      packChecksum: 'c',
      classes,
      settings: {},
    },
    identity: { lambda: -0.3 },
    outputs: { classMap: `${folder}/map.tif`, confidence: `${folder}/map.confidence.tif` },
    resume: 'continue',
    tileSize: 16,
    ...overrides,
  };
}
