import { Problem } from '../report/problem.ts';
import { paintBuildings, type Sun } from './buildings.ts';
import { createCanvas } from './canvas.ts';
import { classOfKind } from './classes.ts';
import { paintGround } from './ground.ts';
import { planLayout } from './layout.ts';
import { castShadows, expose } from './light.ts';
import { Random } from './random.ts';
import { demoStyle, type Style } from './style.ts';
import { Terrain } from './terrain.ts';
import { paintTrees } from './trees.ts';
import { paintVehicles } from './vehicles.ts';
import { drawWaters } from './water.ts';

export interface SceneRequest {
  seed: number;
  /** Pixels, 16-4096. */
  width: number;
  height: number;
  /** Metres per pixel, 0.1-5; 0.5 if not given. */
  resolution?: number;
  /** `demoStyle` if not given; `randomStyle(seed)` for variety. */
  style?: Style;
}

export interface SyntheticScene {
  width: number;
  height: number;
  /** Metres per pixel. */
  resolution: number;
  /** Red, green, blue `[3, height, width]`. */
  pixels: Uint8Array;
  /** True class ids of `syntheticClasses`, `[height · width]`; every pixel has one. */
  classes: Uint8Array;
  /** What each pixel shows, finer: ids of `syntheticKinds`. */
  kinds: Uint8Array;
}

/** A scene seen from above and its true class map. The same request gives the same bytes. */
export function generateScene(request: SceneRequest): SyntheticScene {
  const { seed, width, height, resolution = 0.5, style = demoStyle } = request;
  const sizes = [width, height];
  if (sizes.some((size) => !Number.isInteger(size) || size < 16 || size > 4096)) {
    throw new Problem(
      'synthetic/size',
      `A synthetic scene cannot have ${width} × ${height} pixels.`,
      'Ask for 16 to 4096 pixels on each side.',
    );
  }
  if (!(resolution >= 0.1 && resolution <= 5)) {
    throw new Problem(
      'synthetic/resolution',
      `A synthetic scene cannot have ${resolution} metres per pixel.`,
      'Ask for 0.1 to 5 metres per pixel.',
    );
  }
  const random = new Random(seed);
  const azimuth = (style.sunAzimuth * Math.PI) / 180;
  const elevation = (style.sunElevation * Math.PI) / 180;
  const sun: Sun = {
    x: Math.sin(azimuth) * Math.cos(elevation),
    y: -Math.cos(azimuth) * Math.cos(elevation),
    z: Math.sin(elevation),
  };
  const layout = planLayout(random.fork('layout'), width * resolution, height * resolution, style);
  const terrain = new Terrain(random.fork('terrain'), layout, width, height, resolution);
  const waters = drawWaters(random.fork('water'), width, height, resolution, layout.town, terrain, style);
  const canvas = createCanvas(width, height, resolution);
  paintGround(random.fork('ground'), canvas, terrain, waters, style);
  paintBuildings(random.fork('buildings'), canvas, terrain, style, sun);
  paintVehicles(random.fork('vehicles'), canvas, terrain, style);
  paintTrees(random.fork('trees'), canvas, terrain, waters, style, sun);
  castShadows(canvas, sun);
  const pixels = expose(random.fork('camera'), canvas, style);
  const { kinds } = canvas;
  const classes = new Uint8Array(kinds.length);
  for (let i = 0; i < kinds.length; i++) classes[i] = classOfKind[kinds[i]!]!;
  return { width, height, resolution, pixels, classes, kinds };
}
