import { chmod, copyFile, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type AttentionName, attentionNames, lastLayerChoices, variantName } from '../net/attention.ts';
import { graphParameters, type Parameters } from '../net/parameters.ts';
import { textGraph } from '../net/text.ts';
import type { Activation } from '../net/transformer.ts';
import {
  projectionGraph,
  tileScoresGraph,
  type UpsamplerGeometry,
  type UpsamplerKind,
  upsampledFeaturesGraph,
  upsampledLogitsGraph,
  upsamplerSteps,
} from '../net/upsampler.ts';
import { visionGraph } from '../net/vision.ts';
import type { Graph } from '../onnx/graph.ts';
import { encodeModel } from '../onnx/model-file.ts';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import type { ReportProgress } from '../report/progress.ts';
import { inferGeometry } from '../weights/geometry.ts';
import type { NamedWeights } from '../weights/named-weights.ts';
import { halfGraph } from './half-graph.ts';
import { int8Graph } from './int8-graph.ts';
import { type Manifest, manifestFile, packVersion } from './manifest.ts';
import { fileDigest } from './open-pack.ts';
import type { Precision } from './precision.ts';
import { WeightsWriter } from './weights-writer.ts';

/** CLIP's input statistics, of colours from 0 to 255 (OpenAI; used by every published checkpoint). */
export const clipNormalisation: Manifest['normalisation'] = {
  mean: [122.771, 116.746, 104.094],
  deviation: [68.501, 66.632, 70.323],
};

/** The papers' tiles of 0.3-0.5 m end at 0.7-1.1 m per pixel once resized. */
const publishedFinestResolution = 0.7;

export interface PackContents {
  clip: NamedWeights;
  /** A second image encoder of the same geometry, aligned to SAR images. */
  sar?: NamedWeights | null;
  upsampler?: { kind: UpsamplerKind; weights: NamedWeights } | null;
  vocabularyFile: string;
  activation: Activation;
  name: string;
  sources: Manifest['sources'];
  /** Default: float32 in packs that compute in it, else float16. */
  storage?: 'float32' | 'float16';
  /** What the image encoders compute in; default: float32. */
  precision?: Precision;
  normalisation?: Manifest['normalisation'];
  finestResolution?: number;
  knownWords?: string[][] | null;
  /** Attention and opened layers of `clip` where its authors use others than SegEarth's. */
  defaults?: { attention: AttentionName; lastLayers: number };
}

export interface WriteOptions {
  overwrite: boolean;
  signal?: AbortSignal | undefined;
  onProgress?: ReportProgress | undefined;
}

/**
 * Writes a pack into the folder `out`: manifest, graphs and weights, all or nothing. Throws `output/exists`, and the
 * checkpoint's problems when tensors are missing or contradict each other.
 */
export async function writePack(
  contents: PackContents,
  out: string,
  options: WriteOptions,
): Promise<Manifest> {
  const { signal } = options;
  const target = path.resolve(out);
  if (!options.overwrite && (await stat(target).catch(() => null))) {
    throw new Problem('output/exists', `${out}: exists already.`, 'Give another folder or --overwrite.');
  }
  await mkdir(path.dirname(target), { recursive: true });
  const folder = await mkdtemp(`${target}.part-`);
  try {
    const manifest = await writeFiles(contents, folder, signal, options.onProgress);
    throwIfCancelled(signal);
    // mkdtemp makes folders that only their owner can read.
    await chmod(folder, 0o755);
    await rm(target, { recursive: true, force: true });
    await rename(folder, target);
    return manifest;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function writeFiles(
  contents: PackContents,
  folder: string,
  signal: AbortSignal | undefined,
  onProgress: ReportProgress | undefined,
): Promise<Manifest> {
  const { clip, activation, precision = 'float32', sar = null, upsampler = null } = contents;
  // float16 graphs use their weights as they are stored.
  const storage =
    precision === 'float16'
      ? precision
      : (contents.storage ?? (precision === 'float32' ? 'float32' : 'float16'));
  const geometry = inferGeometry(clip);
  const files: Manifest['files'] = {};
  const report = progressOf(contents, onProgress);

  /** Writes graphs that share one file of weights; returns the graphs' file names. */
  const writeGraphs = async (
    graphs: Graph[],
    weights: NamedWeights,
    weightsName: string,
  ): Promise<string[]> => {
    const writer = await WeightsWriter.create(folder, weightsName);
    try {
      const names: string[] = [];
      for (const graph of graphs) {
        for (const { value, contents: inline } of graph.initializers) {
          throwIfCancelled(signal);
          if (inline !== null || writer.places.has(value.name)) continue;
          await writer.add(value, weights, signal);
          report();
        }
        const name = `${graph.name}.onnx`;
        const bytes = encodeModel(graph, (parameter) => writer.places.get(parameter)!);
        await writeFile(path.join(folder, name), bytes);
        files[name] = { bytes: bytes.byteLength, sha256: await fileDigest(path.join(folder, name)) };
        names.push(name);
      }
      files[weightsName] = await writer.finish();
      return names;
    } finally {
      await writer.discard();
    }
  };
  const parametersOf =
    (weights: NamedWeights) =>
    (graph: Graph): Parameters =>
      graphParameters(graph, (name) => weights.shape(name), storage);
  const visionGraphs = async (weights: NamedWeights, prefix: string) => {
    const variants = attentionNames.flatMap((attention) =>
      lastLayerChoices(attention).map((lastLayers) => ({ attention, lastLayers })),
    );
    const graphs = variants.map(({ attention, lastLayers }) =>
      inPrecision[precision](
        visionGraph(
          geometry.vision,
          activation,
          attention,
          lastLayers,
          parametersOf(weights),
          `${prefix}-${variantName(attention, lastLayers)}`,
        ),
      ),
    );
    const names = await writeGraphs(graphs, weights, `${prefix}.weights`);
    return Object.fromEntries(
      variants.map(({ attention, lastLayers }, i) => [variantName(attention, lastLayers), names[i]!]),
    );
  };

  const opticalGraphs = await visionGraphs(clip, 'vision');
  // A SAR encoder that comes alone stands for both, in one file.
  const sarGraphs = sar === clip ? opticalGraphs : sar && (await visionGraphs(sar, 'vision-sar'));
  const [textFile] = await writeGraphs(
    [textGraph(geometry.text, activation, parametersOf(clip))],
    clip,
    'text.weights',
  );
  let upsamplerFiles: Manifest['upsampler'] = null;
  if (upsampler) {
    const { kind, weights } = upsampler;
    requireChannels(weights, geometry.embedding);
    const built: UpsamplerGeometry = {
      kind,
      patch: geometry.vision.patch,
      spatialInSoftmax: await spatialSigmasAreWide(kind, geometry.vision.patch, weights),
    };
    const [projection, logits, features, tile] = await writeGraphs(
      [
        projectionGraph(geometry.embedding, parametersOf(weights)),
        upsampledLogitsGraph(built, parametersOf(weights)),
        upsampledFeaturesGraph(built, geometry.embedding, parametersOf(weights)),
        tileScoresGraph(built, geometry.embedding, parametersOf(weights)),
      ],
      weights,
      'upsampler.weights',
    );
    upsamplerFiles = {
      kind,
      projection: projection!,
      logits: logits!,
      features: features!,
      tile: tile!,
    };
  }
  const vocabulary = 'vocabulary.txt.gz';
  await copyFile(contents.vocabularyFile, path.join(folder, vocabulary));
  files[vocabulary] = {
    bytes: (await stat(path.join(folder, vocabulary))).size,
    sha256: await fileDigest(path.join(folder, vocabulary)),
  };

  const manifest: Manifest = {
    format: 'landscribe-pack',
    version: packVersion,
    name: contents.name,
    created: new Date().toISOString(),
    sources: contents.sources,
    activation,
    storage,
    precision,
    geometry,
    normalisation: contents.normalisation ?? clipNormalisation,
    finestResolution: contents.finestResolution ?? publishedFinestResolution,
    encoders: {
      optical: { graphs: opticalGraphs, ...(contents.defaults ?? { attention: 'segearth', lastLayers: 1 }) },
      ...(sarGraphs && { sar: { graphs: sarGraphs, attention: 'sclip', lastLayers: 2 } }),
    },
    text: { graph: textFile!, vocabulary },
    upsampler: upsamplerFiles,
    knownWords: contents.knownWords ?? null,
    files,
  };
  await writeFile(path.join(folder, manifestFile), `${JSON.stringify(manifest, null, 1)}\n`);
  return manifest;
}

const inPrecision: Record<Precision, (graph: Graph) => Graph> = {
  float32: (graph) => graph,
  // Places between tokens need more digits than float16 has, and runtimes resize in float32 alone.
  float16: (graph) => halfGraph(graph, ({ name }) => name.includes('positions/')),
  // What the first block rounds, all others work on: of all weights, these cost the most labels and little time.
  int8: (graph) =>
    int8Graph(graph, (weight) => weight.startsWith('visual.transformer.resblocks.0.attn.in_proj')),
};

/** Counts tensors as they are written. */
function progressOf(contents: PackContents, onProgress: ReportProgress | undefined): () => void {
  const { clip, sar = null, upsampler } = contents;
  const own = sar === null || sar === clip ? 0 : sar.names().length;
  const total = clip.names().length + own + (upsampler?.weights.names().length ?? 0);
  let done = 0;
  return () => {
    done = Math.min(done + 1, total);
    onProgress?.({ phase: 'building', done, total, unit: 'tensors' });
  };
}

function requireChannels(weights: NamedWeights, embedding: number): void {
  const [channels] = weights.shape('fixup_proj.weight');
  if (channels === embedding) return;
  throw new Problem(
    'checkpoint/geometry',
    `${weights.source}: upsamples ${channels} channels, but the model's embedding has ${embedding}.`,
    'Give the upsampler that was trained for this model.',
  );
}

/** Whether no spatial kernel can reach the clamp of its sum, see `BilateralGeometry.spatialInSoftmax`. */
async function spatialSigmasAreWide(
  kind: UpsamplerKind,
  patch: number,
  weights: NamedWeights,
): Promise<boolean> {
  for (const step of new Set(upsamplerSteps(kind, patch))) {
    const [sigma] = await weights.read(`${step}.sigma_spatial`);
    if (!(Math.abs(sigma!) >= 0.32)) return false;
  }
  return true;
}
