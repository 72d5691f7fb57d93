import * as z from 'zod';
import { box, call, colour, crsName, id, plain, point } from './base.ts';
import { prompt } from './prompts.ts';

/** Places of the map as a class of their own: what is kept of them to compare features with. */
export const example = z.object({
  feature: z.array(z.number()).min(1).max(65_536),
  direction: z.array(z.number()).min(1).max(65_536),
});
export type Example = z.output<typeof example>;

/** Settings of a run; what is left out takes the pack's and the papers' values. */
export const runSettings = z.object({
  pack: z.string().min(1),
  prompts: z.array(prompt).min(1).max(1000),
  /** Name of the class that pixels below the threshold fall to; null: they become unclassified. */
  background: z.string().nullable(),
  threshold: z.number().min(0).max(1),
  /** In the project's CRS; null: the whole scene. */
  extent: box.nullable(),
  /** Metres per working pixel, `native`, or null: chosen from the scene. */
  resolution: z.union([z.literal('native'), z.number().positive()]).nullable(),
  /** 1-based; null: chosen from the scene. */
  bands: z.array(z.int().min(1)).min(1).max(3).nullable(),
  provider: z.string(),
  /** null: all cores. */
  threads: z.int().min(1).max(1024).nullable(),
  /** Square metres. */
  minArea: z.number().min(0),
  /** Metres. */
  simplify: z.number().min(0),
  window: z.int().min(0).max(4096),
  stride: z.int().min(1).max(4096),
  attention: z.string().nullable(),
  lastLayers: z.int().min(1).max(2).nullable(),
  lambda: z.number(),
  upsampler: z.string().nullable(),
  templates: z.string(),
  /** reference: window by window, as the papers do; fast: tokens of overlapping windows merged. */
  mode: z.enum(['reference', 'fast']).default('reference'),
  /** What `@name` among the words stands for. */
  examples: z.record(z.string().min(1).max(200), example).default({}),
  /** Steps that prepare a radar scene; null: those proposed for it. */
  radar: plain.nullable(),
});
export type RunSettings = z.output<typeof runSettings>;

export const estimate = z.object({
  windows: z.int(),
  /** Working pixels. */
  width: z.int(),
  height: z.int(),
  /** Metres; null without a CRS. */
  workingResolution: z.number().nullable(),
  /** From this machine's measured speed; null before it was measured. */
  seconds: z.number().nullable(),
  provider: z.string(),
  lanes: z.int(),
  threadsPerLane: z.int(),
  /** What the user should know before starting: words the pack does not know, radar with an optical pack, … */
  warnings: z.array(z.string()),
  /** How a radar scene is looked at; empty for optical ones. */
  notes: z.array(z.string()),
});
export type Estimate = z.output<typeof estimate>;

/** A picture of class numbers on its way: a preview, or a run's finished strips. Drawn from `address`. */
export const livePicture = z.object({
  id: z.string(),
  /**
   * `.png`: red holds the class, 0 = unclassified, green the confidence in 1/255. `.bin`: `height · width` bytes of
   * classes, then as many of confidence.
   */
  address: z.string(),
  /** Grows when the picture changes. */
  revision: z.int(),
  width: z.int(),
  height: z.int(),
  crs: crsName,
  /** GDAL's order. */
  transform: z.tuple([z.number(), z.number(), z.number(), z.number(), z.number(), z.number()]),
  classes: z.array(z.object({ id: z.int(), name: z.string(), colour })),
});
export type LivePicture = z.output<typeof livePicture>;

export const provider = z.object({
  name: z.string(),
  /** For people: `CPU, 2 threads`. */
  title: z.string(),
  available: z.boolean(),
  /** 224-pixel windows a second of the pack asked for; null: not measured yet. */
  windowsPerSecond: z.number().nullable(),
});
export type Provider = z.output<typeof provider>;

/** Features of a scene beside its project. */
const storedFeatures = z.object({
  pack: z.string(),
  /** Windows that are stored, of how many. */
  finished: z.int(),
  windows: z.int(),
  /** Share of the pixels that have coordinates. */
  coordinates: z.number(),
  bytes: z.number(),
});
export type StoredFeatures = z.output<typeof storedFeatures>;

export const runs = {
  providers: call.input(z.object({ pack: z.string() })).output(z.array(provider)),
  /** Two seconds of the pack's encoder on a provider; remembered for the estimates. */
  measure: call.input(z.object({ pack: z.string(), provider: z.string() })).output(provider),
  estimate: call.input(z.object({ sceneId: id, settings: runSettings })).output(estimate),
  /**
   * Queues a run; its result becomes the layer `name`. `stored`: labels what is stored of the scene, with the settings it
   * was encoded with; fails with `features/none` where nothing is.
   */
  start: call
    .input(
      z.object({
        sceneId: id,
        name: z.string().min(1).max(200),
        settings: runSettings,
        stored: z.boolean().default(false),
      }),
    )
    .output(z.object({ jobId: id })),
  /** Queues the encoding of the whole scene beside the project; `limitBytes` is what it may take on the disk. */
  encode: call
    .input(z.object({ sceneId: id, settings: runSettings, limitBytes: z.number().min(1e6) }))
    .output(z.object({ jobId: id })),
  /** What is stored of a scene. */
  features: call.input(z.object({ sceneId: id })).output(storedFeatures.nullable()),
  removeFeatures: call.input(z.object({ sceneId: id })).output(z.void()),
  /**
   * Encodes the extent and labels it, outside the queue; a new call ends the one before. `preview` events tell how far it
   * is. What is encoded stays at hand under the name `view`.
   */
  preview: call.input(z.object({ sceneId: id, settings: runSettings })).output(
    z.object({
      picture: livePicture,
      view: z.string(),
      seconds: z.number(),
      shares: z.array(z.number()),
    }),
  ),
  /**
   * Labels of what was encoded, for other words, thresholds or background; a new call ends the one before. Words that the
   * pack does not know are left out. Fails with `live/none` where the view has to be encoded again.
   */
  relabel: call.input(z.object({ view: z.string(), settings: runSettings })).output(
    z.object({
      picture: livePicture,
      /** The host's own part of the time. */
      milliseconds: z.number(),
      shares: z.array(z.number()),
    }),
  ),
  /**
   * Similarity of what was encoded with one word, as a picture whose classes run from 1 (similarity `low`) to 255
   * (`high`); 0: not measured.
   */
  heat: call
    .input(
      z.object({
        view: z.string(),
        word: z.string().min(1).max(1000),
        templates: runSettings.shape.templates,
      }),
    )
    .output(z.object({ picture: livePicture, milliseconds: z.number(), low: z.number(), high: z.number() })),
  /** The likeliest words of common land cover, or of those the pack knows, at a point of what was encoded. */
  likely: call
    .input(z.object({ view: z.string(), crs: crsName, point, templates: runSettings.shape.templates }))
    .output(z.array(z.object({ word: z.string(), similarity: z.number() }))),
  /** An example of points of what was encoded, to stand beside the classes of the settings. */
  example: call
    .input(
      z.object({
        view: z.string(),
        crs: crsName,
        points: z.array(point).min(1).max(1000),
        settings: runSettings,
      }),
    )
    .output(example),
};
