import type { TextGeometry } from '../net/text.ts';
import type { Activation } from '../net/transformer.ts';
import type { VisionGeometry } from '../net/vision.ts';

/** What a CLIP is made of; both towers end in `embedding` channels. */
export interface ClipGeometry {
  vision: VisionGeometry;
  text: TextGeometry & { vocabulary: number };
  embedding: number;
  activation: Activation;
}

/** Lengths of one training step's arrays; a step is compiled for them. */
export interface ClipBatchShape {
  /** B: images. */
  images: number;
  /** S: side of an image, pixels; a multiple of the patch. N = (S / patch)². */
  side: number;
  /** C: words drawn for this step, one for each concept. */
  words: number;
  /** G: most labels that one image's legend has. */
  labels: number;
  /** L: tokens that prompts and captions are cut to. */
  length: number;
}

/**
 * One step's batch. A patch's target is a mixture of *labels*, and a label is a set of words: "building" is the word
 * drawn for buildings, "vegetation" may be {tree, grass, cropland}, and the background of a set that knows buildings only is
 * every word but that one. So sets with different legends, and with legends of different depth, train together.
 */
export interface ClipBatch {
  /** `[B, 3, S, S]`, normalised with CLIP's mean and deviation. */
  images: Float32Array;
  /** `[B, N, G]`: share of each patch's pixels under each label; the rest of 1 is ignored. Patches in rows. */
  targets: Float32Array;
  /** `[B, G, C]`, 0 or 1: the words that each label of the image's legend stands for. Words in none are left out of the image's softmax. */
  membership: Float32Array;
  /** `[B]`: λ of global bias alleviation that the dense logits are trained under (0: none). */
  alleviation: Float32Array;
  /** `[C, L]`: the drawn word of each concept in its drawn template, start and end tokens included, padded with 0. */
  promptIds: BigInt64Array;
  /** `[C]`: position of each prompt's end token. */
  promptEnds: BigInt64Array;
  /** `[B, L]`: a caption of each image. Images with equal captions count as matches of each other. */
  captionIds: BigInt64Array;
  /** `[B]`. */
  captionEnds: BigInt64Array;
}

export interface ClipLossOptions {
  /** Factor of the dense logits before their softmax; inference uses 50. */
  denseScale: number;
  denseWeight: number;
  captionWeight: number;
}

export interface ClipStepResult {
  /** Weighted sum of the two below. */
  loss: number;
  dense: number;
  caption: number;
  /** Global norm of the gradients before clipping. */
  gradientNorm: number;
}
