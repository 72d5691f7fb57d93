import { readdir } from 'node:fs/promises';
import { extname, join, parse } from 'node:path';
import { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';

/** A picture and its label image. */
export interface LabelledImage {
  /** Common file name without ending. */
  stem: string;
  image: string;
  labels: string;
}

const imageEndings = new Set(['.tif', '.tiff', '.png', '.jpg', '.jpeg', '.jp2', '.webp', '.vrt']);
const labelEndings = new Set(['.png', '.tif', '.tiff']);

/**
 * Pairs of pictures and labels with the same file name up to the ending, in alphabetical order. Labels may be missing
 * for no picture and pictures for no label. Throws `Problem`.
 */
export async function pairLabels(imageFolder: string, labelFolder: string): Promise<LabelledImage[]> {
  const images = await filesByStem(imageFolder, imageEndings);
  const labels = await filesByStem(labelFolder, labelEndings);
  if (images.size === 0) {
    throw new Problem(
      'evaluate/no-images',
      `${imageFolder} holds no image.`,
      'Name the folder with the pictures.',
    );
  }
  const unlabelled = [...images.keys()].filter((stem) => !labels.has(stem));
  if (unlabelled.length > 0)
    throw unpaired(images.get(unlabelled[0]!)!, unlabelled.length, labelFolder, 'label image');
  const unseen = [...labels.keys()].filter((stem) => !images.has(stem));
  if (unseen.length > 0) throw unpaired(labels.get(unseen[0]!)!, unseen.length, imageFolder, 'picture');
  return [...images.keys()]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((stem) => ({ stem, image: images.get(stem)!, labels: labels.get(stem)! }));
}

function unpaired(file: string, count: number, folder: string, what: string): Problem {
  const others = count > 1 ? ` (nor have ${count - 1} others)` : '';
  return new Problem(
    'evaluate/unpaired',
    `${file} has no ${what} of the same name in ${folder}${others}.`,
    'Give every picture a label image of the same name, or move it out of the folder.',
  );
}

async function filesByStem(folder: string, endings: ReadonlySet<string>): Promise<Map<string, string>> {
  let names: string[];
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    names = entries
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name);
  } catch (error) {
    throw asProblem(error);
  }
  const files = new Map<string, string>();
  for (const name of names.sort()) {
    if (!endings.has(extname(name).toLowerCase())) continue;
    const stem = parse(name).name;
    const other = files.get(stem);
    if (other !== undefined) {
      throw new Problem(
        'evaluate/ambiguous',
        `${other} and ${name} have the same name.`,
        'Keep one of them in the folder.',
      );
    }
    files.set(stem, join(folder, name));
  }
  return files;
}
