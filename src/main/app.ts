import type { BuildPackRequest } from '../worker/steps/build-pack.ts';
import type { SceneInfo } from '../worker/steps/info.ts';
import type { RebuildPackRequest } from '../worker/steps/rebuild-pack.ts';
import type { TrainRequest } from '../worker/steps/train.ts';
import type { InstallRequest } from './packs/install.ts';
import type { ListedPack } from './packs/installed.ts';
import type { BenchmarkRequest, BenchmarkSummary } from './run/benchmark.ts';
import type { DemoRequest, DemoResult } from './run/demo.ts';
import type { EvaluateRequest, EvaluateSummary } from './run/evaluate.ts';
import type { PackInfo, PackInstallOptions } from './run/pack.ts';
import type { SegmentSummary } from './run/segment.ts';
import type { SegmentInput } from './run/segment-request.ts';
import type { RunOptions } from './run/watch.ts';

/** A result for programs, and the same for people. */
export interface Described<Info> {
  info: Info;
  text: string;
}

/**
 * Everything the program does, behind whatever door: command line now, window later. Each method loads what it needs
 * when it is first called, rejects with a `Problem`, and stops when `signal` fires.
 */
export interface App {
  segment(request: SegmentInput, options?: RunOptions): Promise<SegmentSummary>;
  info(scene: string, options?: RunOptions): Promise<Described<SceneInfo>>;
  packBuild(
    request: BuildPackRequest | RebuildPackRequest,
    options?: RunOptions,
  ): Promise<Described<PackInfo>>;
  packInfo(folder: string, options?: RunOptions): Promise<Described<PackInfo>>;
  packList(): Promise<Described<ListedPack[]>>;
  packInstall(request: InstallRequest, options: PackInstallOptions): Promise<Described<PackInfo>>;
  packVerify(
    pack: string,
    options?: RunOptions,
  ): Promise<Described<{ folder: string; files: number; answers: string }>>;
  packRemove(name: string): Promise<Described<{ folder: string }>>;
  demo(request: DemoRequest, options?: RunOptions): Promise<DemoResult>;
  evaluate(request: EvaluateRequest, options?: RunOptions): Promise<EvaluateSummary>;
  benchmark(request: BenchmarkRequest, options?: RunOptions): Promise<BenchmarkSummary>;
  /** The sets that `benchmark` knows. */
  benchmarks(): Promise<Described<object[]>>;
  /** Returns the files that came of it. */
  train(request: TrainRequest, options?: RunOptions): Promise<string[]>;
}

export function createApp(): App {
  return {
    async segment(request, options) {
      const { runSegment } = await import('./run/segment.ts');
      return runSegment(request, options);
    },
    async info(scene, options) {
      const { describeScene, formatSceneInfo } = await import('../worker/steps/info.ts');
      const info = await describeScene(scene, options?.signal);
      return { info, text: formatSceneInfo(info) };
    },
    async packBuild(request, options) {
      const { buildPackInThread } = await import('./run/pack.ts');
      return buildPackInThread(request, options);
    },
    async packInfo(folder, options) {
      const { describePack } = await import('./run/pack.ts');
      return describePack(folder, options);
    },
    async packList() {
      const { describePacks } = await import('./run/pack.ts');
      return describePacks();
    },
    async packInstall(request, options) {
      const { runPackInstall } = await import('./run/pack.ts');
      return runPackInstall(request, options);
    },
    async packVerify(pack, options) {
      const { runPackVerify } = await import('./run/pack.ts');
      return runPackVerify(pack, options);
    },
    async packRemove(name) {
      const { runPackRemove } = await import('./run/pack.ts');
      return runPackRemove(name);
    },
    async evaluate(request, options) {
      const { runEvaluate } = await import('./run/evaluate.ts');
      return runEvaluate(request, options);
    },
    async benchmark(request, options) {
      const { runBenchmark } = await import('./run/benchmark.ts');
      return runBenchmark(request, options);
    },
    async benchmarks() {
      const { describeBenchmarks } = await import('./run/benchmark.ts');
      return describeBenchmarks();
    },
    async train(request, options) {
      const { runTrain } = await import('./run/train.ts');
      return runTrain(request, options);
    },
    async demo(request, options) {
      const { runDemo } = await import('./run/demo.ts');
      return runDemo(request, options);
    },
  };
}

export type { DemoRequest, DemoResult, PackInfo, RunOptions, SegmentInput, SegmentSummary };
