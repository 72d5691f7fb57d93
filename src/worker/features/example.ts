/** How the pixel features of a scene are spread: their mean and variances along orthonormal directions. */
export interface FeatureSpread {
  /** Length of a feature. */
  size: number;
  /** `[size]`. */
  mean: Float32Array;
  /** `[n, size]`, one direction a row. */
  directions: Float32Array;
  /** `[n]`. */
  variances: Float64Array;
}

/** Spread of the similarities of a scene without words to measure by: one unit after the papers' factor of 50. */
const ordinarySpread = 0.02;

/** What is kept of an example. */
export interface Example {
  /** The mean feature of its places, `[size]`. */
  feature: ArrayLike<number>;
  /** What makes it stand out, to be added to the word that fits it best, `[size]`. */
  direction: ArrayLike<number>;
}

/** Variances smaller than this share of the largest count as much: what varies less is noise. */
const leastVariance = 0.01;
/** At its own places an example is this many ordinary spreads of a word above the word that fits best. */
const lead = 2;

/**
 * What tells an example from the rest of its scene: the linear discriminant between its feature and the scene's
 * (Hariharan, Malik & Ramanan 2012), which looks past all in which the scene's features vary anyway. Plain similarity
 * would not do: features look far more like each other than like any word.
 *
 * Added to a word's embedding, the direction beats that word where a feature is nearer to the example than to the scene's
 * mean, by `lead` ordinary spreads at the example itself. Its constant rides on the mean feature, which all features share.
 *
 * @param feature of the example, `[size]`
 * @param words embeddings `[words, size]` of the words it will compete with; may be empty
 */
export function exampleOf(
  feature: Float32Array,
  spread: FeatureSpread,
  words: Float32Array,
): Example & { direction: Float32Array<ArrayBuffer> } {
  const { size, mean, directions, variances } = spread;
  const difference = new Float32Array(size);
  for (let i = 0; i < size; i++) difference[i] = feature[i]! - mean[i]!;
  const discriminant = new Float32Array(size);
  const floor = leastVariance * Math.max(...variances);
  let distance = 0;
  for (let k = 0; k * size < directions.length; k++) {
    const axis = directions.subarray(k * size, (k + 1) * size);
    const along = product(difference, axis);
    const weight = along / Math.max(variances[k]! + floor, Number.MIN_VALUE);
    distance += along * weight;
    for (let i = 0; i < size; i++) discriminant[i]! += weight * axis[i]!;
  }
  const scale = distance > 0 ? (2 * lead * ordinaryDeviation(words, spread)) / distance : 0;
  const constant = product(discriminant, mean) + distance / 2;
  const shared = constant / Math.max(product(mean, mean), Number.MIN_VALUE);
  return {
    feature: feature.slice(),
    direction: discriminant.map((value, i) => scale * (value - shared * mean[i]!)),
  };
}

/** The embedding, of `[words, size]`, that is most like `feature`; null without any. */
export function nearestEmbedding(words: Float32Array, feature: ArrayLike<number>): Float32Array | null {
  const size = feature.length;
  let best: Float32Array | null = null;
  let most = -Infinity;
  for (let start = 0; start < words.length; start += size) {
    const word = words.subarray(start, start + size);
    const similarity = product(word, feature);
    if (similarity > most) [most, best] = [similarity, word];
  }
  return best;
}

/** Mean spread of what tells the words apart. */
function ordinaryDeviation(words: Float32Array, spread: FeatureSpread): number {
  const { size } = spread;
  const count = words.length / size;
  if (count < 2) return ordinarySpread;
  const mean = new Float32Array(size);
  for (let i = 0; i < words.length; i++) mean[i % size]! += words[i]! / count;
  let sum = 0;
  for (let start = 0; start < words.length; start += size)
    sum += deviation(
      words.slice(start, start + size).map((value, i) => value - mean[i]!),
      spread,
    );
  return sum / count || ordinarySpread;
}

/** Standard deviation of a query's similarities over the scene. */
function deviation(query: Float32Array, { size, directions, variances }: FeatureSpread): number {
  let sum = 0;
  for (let k = 0; k * size < directions.length; k++) {
    const along = product(query, directions.subarray(k * size, (k + 1) * size));
    sum += variances[k]! * along * along;
  }
  return Math.sqrt(sum);
}

function product(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
