import type { ClassEntry } from '../classmap/class-entry.ts';
import type { Scores } from '../evaluate/confusion.ts';
import type { Example } from '../features/example.ts';
import type { Provider } from '../infer/session.ts';
import type { Manifest } from '../pack/manifest.ts';
import type { BenchmarkReply, BenchmarkRequest } from './benchmark.ts';
import type { BuildPackRequest } from './build-pack.ts';
import type { CompareMapsRequest } from './compare-maps.ts';
import type { ConductPiece, ConductReply, ConductRequest } from './conduct.ts';
import type { DecideBandsRequest } from './decide-bands.ts';
import type { CoordinatesPiece, CoordinatesReply, CoordinatesRequest } from './encode-coordinates.ts';
import type { EncodeReply, EncodeRequest } from './encode-scene.ts';
import type { EvaluatePackReply, EvaluatePackRequest } from './evaluate-pack.ts';
import type { FeatureBatch } from './feature-batch.ts';
import type { EmbedRequest, LaneRequest } from './lane.ts';
import type { LearnExamplesRequest } from './learn-examples.ts';
import type {
  EncodeViewReply,
  EncodeViewRequest,
  ExampleOfViewRequest,
  HeatViewReply,
  HeatViewRequest,
  LabelViewReply,
  LabelViewRequest,
  LikelyWords,
  LikelyWordsRequest,
} from './live-view.ts';
import type { MapDifference, MapDifferenceRequest } from './map-difference.ts';
import type { Speed, SpeedRequest } from './measure-speed.ts';
import type { MergeRequest } from './merge-map.ts';
import type { PictureRequest } from './picture-result.ts';
import type { RadarPreparation, RadarPreparationRequest } from './radar-preparation.ts';
import type { RebuildPackRequest } from './rebuild-pack.ts';
import { closingPorts } from './remote-lane.ts';
import type { SceneShift, ShiftRequest } from './scene-shift.ts';
import type { SimplifyRequest } from './simplify-batch.ts';
import type { SmokeReply, SmokeRequest } from './smoke-pack.ts';
import type { TaskContext, TaskReply } from './task-context.ts';
import type { TraceRequest } from './trace-map.ts';
import type { TrainRequest } from './train.ts';

/** Everything an engine thread can be asked to do. */
export interface Tasks {
  conduct: { request: ConductRequest; piece: ConductPiece; reply: ConductReply };
  planRadarPreparation: { request: RadarPreparationRequest; piece: never; reply: RadarPreparation };
  sceneShift: { request: ShiftRequest; piece: never; reply: SceneShift };
  mapDifference: { request: MapDifferenceRequest; piece: never; reply: MapDifference };
  encodeScene: { request: EncodeRequest; piece: never; reply: EncodeReply };
  encodeCoordinates: { request: CoordinatesRequest; piece: CoordinatesPiece; reply: CoordinatesReply };
  embed: { request: EmbedRequest; piece: never; reply: Float32Array };
  lane: { request: LaneRequest; piece: never; reply: number };
  merge: { request: MergeRequest; piece: never; reply: number[] };
  trace: { request: TraceRequest; piece: FeatureBatch; reply: number };
  buildPack: { request: BuildPackRequest; piece: never; reply: Manifest };
  rebuildPack: { request: RebuildPackRequest; piece: never; reply: Manifest };
  smokePack: { request: SmokeRequest; piece: never; reply: SmokeReply };
  buildRandomPack: { request: { out: string; overwrite: boolean }; piece: never; reply: Manifest };
  makeDemoScene: {
    request: { folder: string; seed: number; size: number; software: string };
    piece: never;
    reply: { scenePath: string; truthPath: string; classes: ClassEntry[] };
  };
  benchmark: { request: BenchmarkRequest; piece: never; reply: BenchmarkReply };
  evaluatePack: { request: EvaluatePackRequest; piece: never; reply: EvaluatePackReply };
  compareMaps: { request: CompareMapsRequest; piece: never; reply: Scores };
  train: { request: TrainRequest; piece: never; reply: string[] };
  picture: { request: PictureRequest; piece: never; reply: null };
  encodeView: { request: EncodeViewRequest; piece: never; reply: EncodeViewReply };
  labelView: { request: LabelViewRequest; piece: never; reply: LabelViewReply };
  heatView: { request: HeatViewRequest; piece: never; reply: HeatViewReply };
  likelyWords: { request: LikelyWordsRequest; piece: never; reply: LikelyWords };
  exampleOfView: { request: ExampleOfViewRequest; piece: never; reply: Example };
  learnExamples: { request: LearnExamplesRequest; piece: never; reply: Record<string, Example> };
  readyToDecide: { request: null; piece: never; reply: null };
  decideBands: { request: DecideBandsRequest; piece: never; reply: number };
  measureSpeed: { request: SpeedRequest; piece: never; reply: Speed };
  builtInProviders: { request: null; piece: never; reply: Provider[] };
  simplifyPolygons: { request: SimplifyRequest; piece: never; reply: FeatureBatch };
}

type Runners = {
  [Name in keyof Tasks]: (
    request: Tasks[Name]['request'],
    context: TaskContext,
  ) => Promise<TaskReply<Tasks[Name]['reply']>>;
};

/** Each task loads what it needs when it is first asked for: a thread that traces has no use for sessions. */
const runners: Runners = {
  async conduct(request, context) {
    const { conduct } = await import('./conduct.ts');
    return { reply: await closingPorts(request.lanes, () => conduct(request, context)) };
  },
  async planRadarPreparation(request, context) {
    const { planRadarPreparation } = await import('./radar-preparation.ts');
    return { reply: await planRadarPreparation(request, context.signal) };
  },
  async sceneShift(request, context) {
    const { sceneShift } = await import('./scene-shift.ts');
    return { reply: await sceneShift(request, context) };
  },
  async mapDifference(request, context) {
    const { mapDifference } = await import('./map-difference.ts');
    return { reply: await mapDifference(request, context) };
  },
  async encodeScene(request, context) {
    const { encodeScene } = await import('./encode-scene.ts');
    return { reply: await closingPorts(request.lanes, () => encodeScene(request, context)) };
  },
  async encodeCoordinates(request, context) {
    const { encodeCoordinates } = await import('./encode-coordinates.ts');
    return { reply: await closingPorts(request.lanes, () => encodeCoordinates(request, context)) };
  },
  async embed(request, context) {
    const { embed } = await import('./lane.ts');
    const reply = await embed(request, context);
    return { reply, transfer: [reply.buffer] };
  },
  async lane(request, context) {
    const { serveLane } = await import('./lane.ts');
    return { reply: await serveLane(request, context) };
  },
  async likelyWords(request, context) {
    const { likelyWords } = await import('./live-view.ts');
    return { reply: await likelyWords(request, context) };
  },
  async exampleOfView(request, context) {
    const { exampleOfView } = await import('./live-view.ts');
    return { reply: await exampleOfView(request, context) };
  },
  async learnExamples(request, context) {
    const { learnExamples } = await import('./learn-examples.ts');
    return { reply: await learnExamples(request, context) };
  },
  async merge(request, context) {
    const { mergeMap } = await import('./merge-map.ts');
    return { reply: await mergeMap(request, context) };
  },
  async trace(request, context) {
    const { traceMap } = await import('./trace-map.ts');
    return { reply: await traceMap(request, context) };
  },
  async rebuildPack(request, context) {
    const { rebuildPack } = await import('./rebuild-pack.ts');
    return { reply: await rebuildPack(request, context.signal, context.report) };
  },
  async buildPack(request, context) {
    const { buildPack } = await import('./build-pack.ts');
    return { reply: await buildPack(request, context.signal, context.report) };
  },
  async smokePack(request, context) {
    const { smokePack } = await import('./smoke-pack.ts');
    return { reply: await smokePack(request, context.signal, context.report) };
  },
  async buildRandomPack({ out, overwrite }, context) {
    const { buildRandomPack } = await import('./random-pack.ts');
    return { reply: await buildRandomPack(out, overwrite, context) };
  },
  async makeDemoScene({ folder, seed, size, software }, context) {
    const { makeDemoScene } = await import('./demo.ts');
    const { scenePath, truthPath, classes } = await makeDemoScene(folder, seed, size, {
      software,
      signal: context.signal,
    });
    return { reply: { scenePath, truthPath, classes: [...classes] } };
  },
  async benchmark(request, context) {
    const { benchmark } = await import('./benchmark.ts');
    return { reply: await benchmark(request, context) };
  },
  async evaluatePack(request, context) {
    const { evaluatePack } = await import('./evaluate-pack.ts');
    return { reply: await evaluatePack(request, context) };
  },
  async compareMaps(request) {
    const { compareMaps } = await import('./compare-maps.ts');
    return { reply: await compareMaps(request) };
  },
  async train(request, context) {
    const { train } = await import('./train.ts');
    return { reply: await train(request, context) };
  },
  async encodeView(request, context) {
    const { encodeView } = await import('./live-view.ts');
    return { reply: await encodeView(request, context) };
  },
  async labelView(request, context) {
    const { labelView } = await import('./live-view.ts');
    const reply = await labelView(request, context);
    return { reply, transfer: [reply.classes.buffer, reply.confidence.buffer] };
  },
  async heatView(request, context) {
    const { heatView } = await import('./live-view.ts');
    const reply = await heatView(request, context);
    return { reply, transfer: [reply.heat.buffer] };
  },
  async readyToDecide() {
    await import('./decide-bands.ts');
    return { reply: null };
  },
  async decideBands(request) {
    const { decideBands } = await import('./decide-bands.ts');
    return { reply: await decideBands(request) };
  },
  async measureSpeed(request, context) {
    const { measureSpeed } = await import('./measure-speed.ts');
    return { reply: await measureSpeed(request, context.signal) };
  },
  async builtInProviders() {
    const { builtInProviders } = await import('../infer/session.ts');
    return { reply: builtInProviders() };
  },
  async simplifyPolygons(request, context) {
    const { simplifyBatch } = await import('./simplify-batch.ts');
    const { batchBuffers } = await import('./feature-batch.ts');
    const reply = simplifyBatch(request, context);
    return { reply, transfer: batchBuffers(reply) };
  },
  async picture(request, context) {
    const { pictureResult } = await import('./picture-result.ts');
    await pictureResult(request, context);
    return { reply: null };
  },
};

/** Runs a task by its name; the host's types say what each name takes. */
export function runTask(task: string, request: unknown, context: TaskContext): Promise<TaskReply<unknown>> {
  if (!Object.hasOwn(runners, task)) throw new Error(`no task named ${task}`);
  const run = runners[task as keyof Tasks] as (
    request: unknown,
    context: TaskContext,
  ) => Promise<TaskReply<unknown>>;
  return run(request, context);
}
