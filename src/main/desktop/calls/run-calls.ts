import { describeFeatures, removeFeatures } from '../../../worker/features/feature-store.ts';
import { unknownWords } from '../../../worker/pack/known-words.ts';
import { featureFolder } from '../../jobs/encode-job.ts';
import type { RunSettings } from '../../rpc/runs.ts';
import { features, settledBy } from '../../run/features.ts';
import type { Desktop } from '../desktop.ts';
import { estimateRun } from '../estimate.ts';
import { landCoverWords } from '../land-cover-words.ts';
import { runSettingsFor } from '../run-settings.ts';
import { systemNamed } from '../systems.ts';
import { calls } from './base.ts';

export function runCalls(desktop: Desktop) {
  const prepared = async (sceneId: number, settings: RunSettings) => {
    const { project } = desktop;
    const facts = await project.sceneFacts(project.scene(sceneId));
    return { facts, request: await runSettingsFor(settings, facts, project.crs(), desktop.home) };
  };
  const folderOf = (sceneId: number) => featureFolder(desktop.store, desktop.project.scene(sceneId).id);
  /** Settings that what is stored of a scene was encoded with, plain. */
  const settledFor = async (sceneId: number) => {
    const { header } = await features(folderOf(sceneId));
    return JSON.parse(JSON.stringify(settledBy(folderOf(sceneId), header)));
  };
  return {
    providers: calls.runs.providers.handler(({ input }) => desktop.providers.of(input.pack)),
    measure: calls.runs.measure.handler(({ input, signal }) =>
      desktop.providers.measure(input.pack, input.provider, signal),
    ),
    estimate: calls.runs.estimate.handler(async ({ input }) => {
      const { facts, request } = await prepared(input.sceneId, input.settings);
      const speed = await desktop.providers.speed(request.pack, input.settings.provider);
      return estimateRun(request, facts, speed);
    }),
    start: calls.runs.start.handler(async ({ input }) => {
      const { request } = await prepared(input.sceneId, input.settings);
      const { sceneId, name, stored } = input;
      // What is stored is labelled window by window, whatever the mode of a run that encodes.
      const settled = stored && { ...(await settledFor(sceneId)), mode: 'reference' };
      const settings = settled ? { ...request, ...settled } : request;
      return { jobId: desktop.jobs.queue.add('segment', { sceneId, layer: name, settings }) };
    }),
    encode: calls.runs.encode.handler(async ({ input }) => {
      const { sceneId, limitBytes } = input;
      const { request } = await prepared(sceneId, input.settings);
      const asked = { sceneId, name: desktop.project.scene(sceneId).name, settings: encodingOf(request) };
      return { jobId: desktop.jobs.queue.add('encode', { ...asked, limitBytes }) };
    }),
    features: calls.runs.features.handler(async ({ input }) => {
      const found = await describeFeatures(folderOf(input.sceneId));
      if (!found) return null;
      const { header, finished, bytes, coordinates } = found;
      return { pack: header.pack, finished, windows: header.windows, coordinates, bytes };
    }),
    removeFeatures: calls.runs.removeFeatures.handler(({ input }) => removeFeatures(folderOf(input.sceneId))),
    preview: calls.runs.preview.handler(async ({ input, signal }) => {
      const { sceneId, settings } = input;
      const { facts, request } = await prepared(sceneId, settings);
      const { path, asCrs } = facts;
      const tell = (share: number) => desktop.hub.send({ kind: 'preview', sceneId, share });
      const stored = folderOf(sceneId);
      return desktop.previews.draw(
        path,
        request,
        settings,
        asCrs,
        desktop.project.crs(),
        stored,
        signal,
        tell,
      );
    }),
    relabel: calls.runs.relabel.handler(({ input, signal }) =>
      desktop.previews.label(input.view, input.settings, signal),
    ),
    likely: calls.runs.likely.handler(async ({ input, signal }) => {
      const { view, crs, point, templates } = input;
      const from = systemNamed(crs, desktop.project.crs());
      const { knownWords } = desktop.previews.packOf(view);
      const unknown = new Set(knownWords === null ? [] : unknownWords(knownWords, landCoverWords.flat()));
      const words = landCoverWords
        .map((group) => group.filter((word) => !unknown.has(word)))
        .filter((group) => group.length > 0);
      return desktop.previews.likely(view, point, from, words, templates, signal);
    }),
    example: calls.runs.example.handler(({ input, signal }) => {
      const { view, crs, points, settings } = input;
      const from = systemNamed(crs, desktop.project.crs());
      return desktop.previews.example(view, points, from, settings, signal);
    }),
    heat: calls.runs.heat.handler(({ input, signal }) =>
      desktop.previews.heat(input.view, input.word, input.templates, signal),
    ),
  };
}

/** Settings of a run that its encoding depends on. */
function encodingOf(request: Record<string, never>): Record<string, never> {
  const names = [
    'pack',
    'bands',
    'resolution',
    'modality',
    'radar',
    'window',
    'stride',
    'attention',
    'lastLayers',
    'upsampler',
    'provider',
    'threads',
  ];
  return Object.fromEntries(names.filter((name) => name in request).map((name) => [name, request[name]!]));
}
