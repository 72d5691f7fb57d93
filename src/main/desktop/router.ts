import { availableParallelism } from 'node:os';
import { program, version } from '../program.ts';
import { calls } from './calls/base.ts';
import { jobCalls } from './calls/job-calls.ts';
import { layerCalls } from './calls/layer-calls.ts';
import { packCalls } from './calls/pack-calls.ts';
import { placeCalls } from './calls/place-calls.ts';
import { projectCalls } from './calls/project-calls.ts';
import { promptCalls } from './calls/prompt-calls.ts';
import { runCalls } from './calls/run-calls.ts';
import { sceneCalls } from './calls/scene-calls.ts';
import { systemCalls } from './calls/system-calls.ts';
import type { Desktop } from './desktop.ts';

/** The whole contract, for the RPC handler of any door. */
export function desktopRouter(desktop: Desktop) {
  return calls.router({
    about: calls.about.handler(() => ({
      name: program,
      version,
      door: desktop.door,
      cores: availableParallelism(),
    })),
    project: projectCalls(desktop),
    scenes: sceneCalls(desktop),
    prompts: promptCalls(desktop),
    runs: runCalls(desktop),
    jobs: jobCalls(desktop),
    layers: layerCalls(desktop),
    packs: packCalls(desktop),
    places: placeCalls(desktop),
    systems: systemCalls(desktop),
    events: {
      watch: calls.events.watch.handler(({ signal }) => desktop.hub.watch(signal)),
    },
  });
}
