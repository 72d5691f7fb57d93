import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { Problem, throwIfCancelled } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';
import type { BenchmarkSet, Layout } from './sets.ts';

/** A picture and its labels. */
export interface Sample {
  /** Path below the picture folder, without the ending; with the folder's name where the layout has several. */
  name: string;
  image: string;
  labels: string;
}

export interface FoundSet {
  layout: Layout;
  samples: Sample[];
}

/** Folders deeper than this are not looked into. */
const deepest = 8;

/**
 * The pictures of a set below any of `roots`, in the first layout whose folders hold some, sorted by name. Throws
 * `benchmark/no-data` where there are none, and problems that name the file for a picture without labels or a missing
 * name of the set's list.
 */
export async function findSamples(
  set: BenchmarkSet,
  roots: readonly string[],
  signal?: AbortSignal,
): Promise<FoundSet> {
  for (const root of roots) {
    for (const layout of set.layouts) {
      throwIfCancelled(signal);
      const samples = await samplesOf(root, layout);
      if (samples.length > 0) return { layout, samples };
    }
  }
  const places = set.layouts.map(({ images, labels, list }) =>
    [images, labels, ...(list === undefined ? [] : [list])].join(' + '),
  );
  throw new Problem(
    'benchmark/no-data',
    `${set.name} was not found in ${roots[0]!}.`,
    `Give the folder that holds ${places.join(', or ')}.`,
  );
}

async function samplesOf(root: string, layout: Layout): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const { images, labels, prefix } of await folderPairs(root, layout)) {
    const pictures = await filesByStem(images, layout.imageSuffixes);
    if (pictures.size === 0) continue;
    const labelFiles = await filesByStem(labels, layout.labelSuffixes);
    for (const [stem, image] of pictures) {
      samples.push({ name: prefix + stem, image, labels: labelFiles.get(stem) ?? '' });
    }
  }
  samples.sort((a, b) => (a.name < b.name ? -1 : 1));
  const chosen = samples.length === 0 ? samples : await listed(root, layout, samples);
  const unlabelled = chosen.find(({ labels }) => labels === '');
  if (unlabelled) {
    throw new Problem(
      'benchmark/unlabelled',
      `${unlabelled.image} has no labels in ${path.join(root, layout.labels)}.`,
      `Labels have the picture's name and the ending ${layout.labelSuffixes.join(' or ')}.`,
    );
  }
  return chosen;
}

/** Existing pairs of picture and label folders; several where the layout has a `*`. */
async function folderPairs(
  root: string,
  { images, labels }: Layout,
): Promise<{ images: string; labels: string; prefix: string }[]> {
  const star = images.indexOf('*');
  const names = star < 0 ? [''] : await foldersIn(path.join(root, images.slice(0, star)));
  const pairs = names.map((name) => ({
    images: path.join(root, images.replace('*', name)),
    labels: path.join(root, labels.replace('*', name)),
    prefix: star < 0 ? '' : `${name}/`,
  }));
  const there = await Promise.all(
    pairs.map(async (pair) => (await isFolder(pair.images)) && (await isFolder(pair.labels))),
  );
  return pairs.filter((_, i) => there[i]);
}

async function isFolder(folder: string): Promise<boolean> {
  return (await stat(folder).catch(() => null))?.isDirectory() ?? false;
}

async function foldersIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const folders = await Promise.all(names.map((name) => isFolder(path.join(folder, name))));
  return names.filter((name, i) => folders[i] && !name.startsWith('.')).sort();
}

/** Files below `folder` with one of the endings, by their path without it; folders separated by `/`. */
async function filesByStem(folder: string, suffixes: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const visit = async (prefix: string, depth: number): Promise<void> => {
    const entries = await readdir(path.join(folder, prefix), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue;
      const place = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
      if (entry.isDirectory()) {
        if (depth < deepest) await visit(place, depth + 1);
        continue;
      }
      const suffix = suffixes.find((ending) => place.toLowerCase().endsWith(ending.toLowerCase()));
      if (suffix === undefined) continue;
      const stem = place.slice(0, -suffix.length);
      const other = found.get(stem);
      if (other !== undefined) {
        throw new Problem(
          'benchmark/ambiguous',
          `${other} and ${path.join(folder, place)} have the same name.`,
          'Keep one of them in the folder.',
        );
      }
      found.set(stem, path.join(folder, place));
    }
  };
  try {
    await visit('', 0);
  } catch (error) {
    throw asProblem(error);
  }
  return found;
}

/** The samples that the layout's list names, or all. */
async function listed(root: string, layout: Layout, samples: Sample[]): Promise<Sample[]> {
  const wanted = layout.stems ?? (layout.list === undefined ? null : await namesIn(root, layout));
  if (wanted === null) return samples;
  const source = layout.list === undefined ? 'the split' : path.join(root, layout.list);
  const byName = new Map<string, Sample>();
  for (const sample of samples) byName.set(path.posix.basename(sample.name), sample);
  // Whole paths win over last names.
  for (const sample of samples) byName.set(sample.name, sample);
  const chosen = new Set<Sample>();
  for (const name of wanted) {
    const sample = byName.get(name) ?? byName.get(path.posix.basename(name));
    if (!sample) {
      throw new Problem(
        'benchmark/missing-picture',
        `${name}, which ${source} names, is not in ${path.join(root, layout.images)}.`,
        'Unpack the whole set.',
      );
    }
    chosen.add(sample);
  }
  return samples.filter((sample) => chosen.has(sample));
}

const longestList = 16 << 20;

async function namesIn(root: string, layout: Layout): Promise<string[]> {
  const file = path.join(root, layout.list!);
  let text: string;
  try {
    if ((await stat(file)).size > longestList)
      throw new Problem('benchmark/list', `${file} is too long for a list of names.`, 'Check the file.');
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(
      'benchmark/no-list',
      `${file}, the list of the pictures to use, cannot be read.`,
      layout.note ?? 'Put it there; it has one name a line.',
      error,
    );
  }
  const names = text
    .split(/\r?\n/)
    .map((line) => line.trim().replaceAll('\\', '/'))
    .filter((line) => line !== '')
    .map((line) => {
      const suffix = layout.imageSuffixes.find((ending) => line.toLowerCase().endsWith(ending.toLowerCase()));
      return suffix === undefined ? line : line.slice(0, -suffix.length);
    });
  if (names.length === 0)
    throw new Problem('benchmark/list', `${file} names no picture.`, 'It has one name a line.');
  return names;
}
