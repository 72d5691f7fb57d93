import { availableParallelism } from 'node:os';
import type { RunSettings } from '../../rpc/runs.ts';
import type { Desktop } from '../desktop.ts';
import { estimateRun } from '../estimate.ts';
import { runSettingsFor } from '../run-settings.ts';
import { calls } from './base.ts';

export function runCalls(desktop: Desktop) {
  const prepared = async (sceneId: number, settings: RunSettings) => {
    const { project } = desktop;
    const facts = await project.sceneFacts(project.scene(sceneId));
    return { facts, request: await runSettingsFor(settings, facts, project.crs(), desktop.home) };
  };
  return {
    providers: calls.runs.providers.handler(({ input }) => desktop.speeds.providers(input.pack)),
    measure: calls.runs.measure.handler(({ input, signal }) =>
      desktop.speeds.measure(input.pack, input.provider, signal),
    ),
    estimate: calls.runs.estimate.handler(async ({ input }) => {
      const { facts, request } = await prepared(input.sceneId, input.settings);
      const speed = await desktop.speeds.of(input.settings.pack, input.settings.provider);
      return estimateRun(request, facts, speed, availableParallelism());
    }),
    start: calls.runs.start.handler(async ({ input }) => {
      const { request } = await prepared(input.sceneId, input.settings);
      const { sceneId, name } = input;
      return { jobId: desktop.jobs.queue.add('segment', { sceneId, layer: name, settings: request }) };
    }),
    preview: calls.runs.preview.handler(async ({ input, signal }) => {
      const { sceneId, settings } = input;
      const { facts, request } = await prepared(sceneId, settings);
      const { path, asCrs } = facts;
      const tell = (share: number) => desktop.hub.send({ kind: 'preview', sceneId, share });
      return desktop.previews.draw(path, request, settings, asCrs, desktop.project.crs(), signal, tell);
    }),
    relabel: calls.runs.relabel.handler(({ input, signal }) =>
      desktop.previews.label(input.view, input.settings, signal),
    ),
    heat: calls.runs.heat.handler(({ input, signal }) =>
      desktop.previews.heat(input.view, input.word, input.templates, signal),
    ),
  };
}
