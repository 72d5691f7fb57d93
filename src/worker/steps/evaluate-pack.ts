import { writeFile } from 'node:fs/promises';
import type { Scores } from '../evaluate/confusion.ts';
import { confusionCsv, drawConfusion, scoresJson, scoresTable } from '../evaluate/report.ts';
import { writePicture } from '../picture/picture.ts';
import { evaluateFolder } from './evaluate.ts';
import { openPredictor, type PredictorRequest } from './predict.ts';
import type { TaskContext } from './task-context.ts';

export interface EvaluatePackRequest {
  images: string;
  labels: string;
  /** Label value of each class; null: 0, 1, 2, … */
  labelValues: number[] | null;
  ignore: number | null;
  /** Shares of width and height; null: whole pictures. */
  part: [number, number, number, number] | null;
  predictor: PredictorRequest;
  /** Folders that the baselines are fitted to; null: the evaluated ones; undefined: no baselines. */
  baseline?: { imageFolder: string; labelFolder: string } | null;
  /** Files to write, each null or a path. */
  csv: string | null;
  json: string | null;
  picture: string | null;
}

export interface EvaluatePackReply {
  images: number;
  scores: Scores;
  baselines: { name: string; scores: Scores }[];
  table: string;
}

/** Measures a pack on labelled pictures and writes what was asked for. */
export async function evaluatePack(
  request: EvaluatePackRequest,
  context: TaskContext,
): Promise<EvaluatePackReply> {
  const { signal, report } = context;
  const predictor = await openPredictor(request.predictor, signal);
  try {
    const result = await evaluateFolder(
      {
        imageFolder: request.images,
        labelFolder: request.labels,
        classNames: request.predictor.classes.map(({ name }) => name),
        labelValues: request.labelValues,
        ignore: request.ignore,
        part: request.part,
        predict: predictor.predict,
        ...(request.predictor.modality === 'sar' && { readColours: predictor.colours }),
        ...(request.baseline !== undefined && { baseline: { training: request.baseline } }),
      },
      report,
      signal,
    );
    const scores = result.scores!;
    if (request.csv !== null) await writeFile(request.csv, confusionCsv(result.confusion!));
    if (request.json !== null)
      await writeFile(request.json, `${JSON.stringify(evaluationJson(scores, result.baselines), null, 1)}\n`);
    if (request.picture !== null) await writePicture(drawConfusion(result.confusion!), request.picture);
    return {
      images: result.images,
      scores,
      baselines: result.baselines,
      table: scoresTable(scores, result.baselines),
    };
  } finally {
    await predictor.close();
  }
}

/** What `--json` prints. */
export function evaluationJson(scores: Scores, baselines: EvaluatePackReply['baselines']): object {
  return {
    ...scoresJson(scores),
    ...(baselines.length > 0 && {
      baselines: Object.fromEntries(baselines.map((each) => [each.name, scoresJson(each.scores)])),
    }),
  };
}
