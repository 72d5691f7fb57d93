import { useEffect, useState } from 'react';
import type { Estimate, Provider } from '../../main/rpc/runs.ts';
import { runExtent, runScene, runSettings } from '../commands/next-run.ts';
import { ask, isAborted, problemOf } from '../connection/client.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';

/** Milliseconds that settings rest before a new estimate is asked for. */
const rest = 400;

/** What the next run will be, or why there can be none; null without a scene or a class. */
export function useEstimate(providers: readonly Provider[]): Estimate | { problem: string } | null {
  const project = host.use((value) => value.project);
  const extent = session.use((value) => value.extent);
  const node = session.use((value) => value.node);
  const views = session.use((value) => value.views);
  const [estimate, setEstimate] = useState<Estimate | { problem: string } | null>(null);
  const scene = runScene();
  const key = JSON.stringify([
    project?.prompts,
    project?.settings,
    project?.system.crs,
    extent,
    node,
    project?.scenes.length,
    scene?.info?.modality,
    scene?.radar,
    extent.kind === 'view' && views,
  ]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key is all that the estimate depends on
  useEffect(() => {
    const leaving = new AbortController();
    const timer = setTimeout(() => {
      const scene = runScene();
      const asked = runSettings(runExtent());
      if (!scene || !asked) {
        setEstimate(null);
        return;
      }
      ask.runs
        .estimate({ sceneId: scene.id, settings: asked }, { signal: leaving.signal })
        .then(setEstimate, (error) => {
          if (!isAborted(error)) setEstimate({ problem: problemOf(error).message });
        });
    }, rest);
    return () => {
      clearTimeout(timer);
      leaving.abort();
    };
  }, [key, providers]);
  return estimate;
}
