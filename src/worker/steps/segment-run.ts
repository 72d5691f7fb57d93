import { createHash } from 'node:crypto';
import { access, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type GeoTiffLayout, GeoTiffWriter } from '../classmap/geotiff-writer.ts';
import { readJournal, type SavedRun } from '../classmap/journal.ts';
import { Problem } from '../report/problem.ts';
import { asProblem } from '../report/problem-record.ts';
import type { Provenance } from './provenance.ts';

/** What to do with the unfinished files of an earlier run. */
export type ResumePolicy =
  /** Continue the same run; refuse where the files belong to another one. */
  | 'continue'
  /** Continue the same run; begin anew where the files belong to another one. */
  | 'replace'
  /** Begin anew in any case. */
  | 'restart';

export interface SegmentOutputs {
  /** The finished class map, `….tif`; the class names appear beside it in `….tif.aux.xml`. */
  classMap: string;
  /** The finished confidence raster; has a `.aux.xml` beside it only where the reference system has no EPSG code. */
  confidence: string;
  /**
   * Folder of the unfinished files, on the same disk. Where given, a finished run is remembered there, and the same
   * request returns at once as long as both rasters stand. Without it the unfinished files lie beside the outputs.
   */
  partFolder?: string;
}

/** What stays fixed over the life of a run, kept in its journal. */
export interface RunState {
  stripRows: number;
  panelColumns: number;
  provenance: Provenance;
}

/** An opened run: two unfinished rasters that agree on the strips done. */
export interface OpenedRun {
  state: RunState;
  classMap: GeoTiffWriter;
  confidence: GeoTiffWriter;
  /** Pixels per class id in each strip done, by the notes of the journal. */
  stripCounts: [id: number, pixels: number][][];
}

/** SHA-256 of plain values; the order of keys does not matter. */
export function digestOf(values: unknown): string {
  const sorted = JSON.stringify(values, (_, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))
      : value,
  );
  return createHash('sha256').update(sorted).digest('hex');
}

function partPath(outputs: SegmentOutputs, path: string): string {
  return join(outputs.partFolder ?? dirname(path), `${basename(path)}.part`);
}

function parseState(saved: SavedRun): RunState | null {
  try {
    const state = JSON.parse(saved.state) as Partial<RunState>;
    const whole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) > 0;
    return whole(state.stripRows) && whole(state.panelColumns) && typeof state.provenance === 'object'
      ? (state as RunState)
      : null;
  } catch {
    return null;
  }
}

function parseCounts(note: string): [number, number][] {
  return JSON.parse(note) as [number, number][];
}

/**
 * Opens the unfinished rasters of a run: continued after the last strip that both hold, or new with `fresh` as their
 * state. Throws `Problem` where they belong to another run and the policy is to refuse.
 */
export async function openRun(
  outputs: SegmentOutputs,
  layout: Omit<GeoTiffLayout, 'path' | 'partPath' | 'sampleType' | 'level'>,
  sampleType: 'uint8' | 'uint16',
  digest: string,
  fresh: RunState,
  policy: ResumePolicy,
): Promise<OpenedRun> {
  const mapLayout: GeoTiffLayout = {
    ...layout,
    sampleType,
    level: 6,
    path: outputs.classMap,
    partPath: partPath(outputs, outputs.classMap),
  };
  const confidenceLayout: GeoTiffLayout = {
    ...layout,
    sampleType: 'uint8',
    // Nearly noise: 6 takes two thirds more time and saves 3 % of the bytes.
    level: 4,
    path: outputs.confidence,
    partPath: partPath(outputs, outputs.confidence),
  };
  const map = policy === 'restart' ? null : await readJournal(mapLayout.partPath);
  const confidence = policy === 'restart' ? null : await readJournal(confidenceLayout.partPath);
  const other = [map, confidence].some((saved) => saved !== null && saved.digest !== digest);
  if (other && policy === 'continue') {
    throw new Problem(
      'segment/other-run',
      `${mapLayout.partPath} belongs to an unfinished run with other settings.`,
      'Repeat that run to finish it, or give --overwrite to begin anew.',
    );
  }
  const state = map !== null && confidence !== null && !other ? parseState(map) : null;
  const done = state === null ? 0 : Math.min(map!.strips.length, confidence!.strips.length);
  const kept = state ?? fresh;
  const run = (saved: SavedRun | null): SavedRun => ({
    digest,
    state: JSON.stringify(kept),
    strips: saved === null ? [] : saved.strips.slice(0, done),
  });
  const mapRun = run(map);
  const mapWriter = await GeoTiffWriter.open(mapLayout, mapRun);
  try {
    return {
      state: kept,
      classMap: mapWriter,
      confidence: await GeoTiffWriter.open(confidenceLayout, run(confidence)),
      stripCounts: mapRun.strips.map(({ note }) => parseCounts(note)),
    };
  } catch (error) {
    if (done === 0) await mapWriter.discard();
    else await mapWriter.close();
    throw error;
  }
}

interface FinishedRun {
  digest: string;
  provenance: Provenance;
  classPixels: number[];
}

function finishedPath(outputs: SegmentOutputs): string | null {
  return outputs.partFolder === undefined ? null : join(outputs.partFolder, 'segmented.json');
}

/** The same run, if it finished before and its rasters still stand; null otherwise. */
export async function findFinished(outputs: SegmentOutputs, digest: string): Promise<FinishedRun | null> {
  const path = finishedPath(outputs);
  if (path === null) return null;
  try {
    const finished = JSON.parse(await readFile(path, 'utf8')) as FinishedRun;
    if (finished.digest !== digest || !Array.isArray(finished.classPixels)) return null;
    await access(outputs.classMap);
    await access(outputs.confidence);
    return finished;
  } catch {
    return null;
  }
}

/** Remembers that the run finished, where the outputs have a folder for unfinished files. */
export async function rememberFinished(outputs: SegmentOutputs, finished: FinishedRun): Promise<void> {
  const path = finishedPath(outputs);
  if (path === null) return;
  try {
    await writeFile(`${path}.new`, JSON.stringify(finished), { flush: true });
    await rename(`${path}.new`, path);
  } catch (error) {
    throw asProblem(error);
  }
}
