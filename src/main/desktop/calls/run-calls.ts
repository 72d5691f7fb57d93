import type { Desktop } from '../desktop.ts';
import { runSettingsFor } from '../run-settings.ts';
import { calls } from './base.ts';
import { notReady } from './scene-calls.ts';

export function runCalls(desktop: Desktop) {
  const later = () => {
    throw notReady();
  };
  return {
    providers: calls.runs.providers.handler(later),
    measure: calls.runs.measure.handler(later),
    estimate: calls.runs.estimate.handler(later),
    start: calls.runs.start.handler(async ({ input }) => {
      const { sceneId, name, settings } = input;
      const { project } = desktop;
      const facts = await project.sceneFacts(project.scene(sceneId));
      const request = await runSettingsFor(settings, facts, project.crs(), desktop.home);
      return { jobId: desktop.jobs.queue.add('segment', { sceneId, layer: name, settings: request }) };
    }),
    preview: calls.runs.preview.handler(later),
  };
}
