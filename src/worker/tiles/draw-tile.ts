import { colourChannels } from '../classmap/palette.ts';
import type { Window } from '../raster/grid.ts';
import { throwIfCancelled } from '../report/problem.ts';
import { footprints, resampleNearest, resampleSmooth, widestReach } from './resample.ts';
import { type ScenePositions, scenePositions } from './scene-positions.ts';
import {
  bandsOfStyle,
  type ClassStyle,
  checkStyle,
  type ImageryStyle,
  type RadarStyle,
  type Range,
  type TileStyle,
} from './style.ts';
import type { TileFrame } from './tile-grid.ts';
import type { SourceLevel, TileSource } from './tile-source.ts';

/** A drawn tile. */
export interface TilePicture {
  width: number;
  height: number;
  /** Red, green, blue, alpha 0-255 by pixel; transparent where there is no measurement. */
  rgba: Uint8Array;
  /** Nothing of the scene is on it. */
  empty: boolean;
  /** Made from samples: a better one can be had once overviews are built. */
  draft: boolean;
}

/** gdalwarp's default bound of the approximated projection, scene pixels; scaled with the level that is read. */
const smoothTolerance = 0.125;
/** A class pixel is wrong or right: only places this close to a border may fall on its other side. */
const nearestTolerance = 1 / 64;

/**
 * Draws one tile: places by inverse projection, the level by the local scale, bilinear values for imagery and nearest for
 * classes, then the style. Memory is bounded by the tile's size, whatever the scene's.
 */
export async function drawTile(
  source: Pick<TileSource, 'header' | 'levelFor'>,
  tile: TileFrame,
  style: TileStyle,
  signal?: AbortSignal,
): Promise<TilePicture> {
  checkStyle(style, source.header);
  const { width, height } = tile;
  const picture = { width, height, rgba: new Uint8Array(4 * width * height), empty: true, draft: false };
  const smooth = style.kind !== 'classes';
  const positions = scenePositions(tile, source.header.grid, smooth ? smoothTolerance : nearestTolerance);
  const { width: sceneWidth, height: sceneHeight } = source.header.grid;
  const box = boxOf(positions, sceneWidth, sceneHeight);
  if (box === null) return picture;
  const feet = footprints(positions, width);
  const scale = typicalScale(positions, feet, sceneWidth, sceneHeight);
  const bands = bandsOfStyle(style);
  const footprint = smooth ? widestFootprint(positions, feet, sceneWidth, sceneHeight) : 0;
  const area = (place: Pick<SourceLevel, 'width' | 'height' | 'scaleX' | 'scaleY'>) => {
    const wanted = Math.max(1, footprint / Math.min(place.scaleX, place.scaleY));
    return around(box, place, smooth ? Math.ceil(Math.min(widestReach, wanted)) + 1 : 0);
  };
  const level = await source.levelFor(scale, area, bands);
  throwIfCancelled(signal);
  const window = area(level);
  const read = await level.read(window, bands, signal);
  throwIfCancelled(signal);
  const pixels = { ...level, bands: read, window };
  picture.draft = level.draft;
  if (style.kind !== 'classes') {
    const { planes, valid } = resampleSmooth(pixels, positions, feet);
    const channels =
      style.kind === 'radar'
        ? backscatter(planes, valid, style, bands)
        : style.bands.map((band) => planes[bands.indexOf(band)]!);
    picture.empty = !paintImagery(picture.rgba, channels, valid, style);
  } else {
    const { values, valid } = resampleNearest(pixels, positions);
    picture.empty = !paintClasses(picture.rgba, values, valid, style);
  }
  return picture;
}

interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** Smallest box around the positions inside the scene, scene pixels; null where none is. */
function boxOf(positions: ScenePositions, width: number, height: number): Box | null {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  const { columns, rows } = positions;
  for (let at = 0; at < columns.length; at++) {
    const column = columns[at]!;
    const row = rows[at]!;
    if (!(column >= 0 && column < width && row >= 0 && row < height)) continue;
    if (column < box.left) box.left = column;
    if (column > box.right) box.right = column;
    if (row < box.top) box.top = row;
    if (row > box.bottom) box.bottom = row;
  }
  return box.left <= box.right ? box : null;
}

function around(
  box: Box,
  level: Pick<SourceLevel, 'width' | 'height' | 'scaleX' | 'scaleY'>,
  reach: number,
): Window {
  const column = Math.max(0, Math.floor(box.left / level.scaleX) - reach);
  const row = Math.max(0, Math.floor(box.top / level.scaleY) - reach);
  return {
    column,
    row,
    width: Math.min(level.width, Math.floor(box.right / level.scaleX) + 1 + reach) - column,
    height: Math.min(level.height, Math.floor(box.bottom / level.scaleY) + 1 + reach) - row,
  };
}

/** Median of the scene pixels per tile pixel along the finer axis, over the tile's places in the scene. */
function typicalScale(
  positions: ScenePositions,
  feet: { across: Float32Array; down: Float32Array },
  width: number,
  height: number,
): number {
  const scales: number[] = [];
  const { columns, rows } = positions;
  const all = columns.length;
  for (const step of [61, 1]) {
    for (let at = 0; at < all; at += step) {
      const column = columns[at]!;
      const row = rows[at]!;
      if (!(column >= 0 && column < width && row >= 0 && row < height)) continue;
      const finer = Math.min(feet.across[at]!, feet.down[at]!);
      if (finer > 0) scales.push(finer);
    }
    if (scales.length > 0) break;
  }
  scales.sort((a, b) => a - b);
  return scales[scales.length >> 1] ?? 1;
}

/** The most scene pixels that a tile pixel covers along an axis. */
function widestFootprint(
  positions: ScenePositions,
  feet: { across: Float32Array; down: Float32Array },
  width: number,
  height: number,
): number {
  let widest = 1;
  for (let at = 0; at < positions.columns.length; at++) {
    const column = positions.columns[at]!;
    const row = positions.rows[at]!;
    if (!(column >= 0 && column < width && row >= 0 && row < height)) continue;
    widest = Math.max(widest, feet.across[at]!, feet.down[at]!);
  }
  return widest;
}

/** Power at or below this, dB, is shown as this: noise removal leaves pixels at zero and below. */
const faintest = -100;

/** Values of the three channels of a radar picture, in its scale. */
export function backscatter(
  planes: readonly Float32Array[],
  valid: Uint8Array,
  style: Pick<RadarStyle, 'quantity' | 'channels' | 'scale'>,
  bands: readonly number[],
): Float32Array[] {
  const powers = planes.map((plane) => {
    if (style.quantity === 'power') return plane;
    if (style.quantity === 'amplitude') return plane.map((value) => value * value);
    return plane.map((value) => 10 ** (value / 10));
  });
  return style.channels.map(({ band, by }) => {
    const power = powers[bands.indexOf(band)]!;
    const divisor = by === null ? null : powers[bands.indexOf(by)]!;
    const channel = new Float32Array(power.length);
    for (let at = 0; at < channel.length; at++) {
      if (valid[at] === 0) continue;
      const value =
        divisor === null ? power[at]! : power[at]! / Math.max(divisor[at]!, 10 ** (faintest / 10));
      channel[at] =
        style.scale === 'linear' ? value : value > 0 ? Math.max(faintest, 10 * Math.log10(value)) : faintest;
    }
    return channel;
  });
}

/** Paints what is valid; false where nothing is. */
function paintImagery(
  rgba: Uint8Array,
  channels: readonly Float32Array[],
  valid: Uint8Array,
  style: Pick<ImageryStyle, 'stretch' | 'gamma'>,
): boolean {
  const exponent = 1 / style.gamma;
  for (const [channel, plane] of channels.entries()) {
    const { low, high }: Range = style.stretch[channel]!;
    const factor = 1 / (high - low);
    for (let at = 0; at < valid.length; at++) {
      if (valid[at] === 0) continue;
      const share = Math.min(1, Math.max(0, (plane[at]! - low) * factor));
      rgba[4 * at + channel] = Math.round(255 * (exponent === 1 ? share : share ** exponent));
    }
  }
  let any = false;
  for (let at = 0; at < valid.length; at++) {
    if (valid[at] === 0) continue;
    rgba[4 * at + 3] = 255;
    any = true;
  }
  return any;
}

function paintClasses(rgba: Uint8Array, values: Float64Array, valid: Uint8Array, style: ClassStyle): boolean {
  const paints = new Map<number, readonly [number, number, number, number]>();
  for (const { value, colour, opacity = 1 } of style.colours) {
    paints.set(value, [...colourChannels(colour), Math.round(255 * Math.min(1, Math.max(0, opacity)))]);
  }
  let any = false;
  for (let at = 0; at < valid.length; at++) {
    if (valid[at] === 0) continue;
    const paint = paints.get(values[at]!);
    if (paint === undefined || paint[3] === 0) continue;
    rgba.set(paint, 4 * at);
    any = true;
  }
  return any;
}
