import { useEffect, useState } from 'react';
import type { StoredFeatures as Stored } from '../../main/rpc/runs.ts';
import { runScene, runSettings } from '../commands/next-run.ts';
import { startRun } from '../commands/run.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { NumberInput } from '../parts/NumberInput.tsx';
import { layout } from '../state/layout.ts';
import { preferences } from '../state/preferences.ts';
import { host } from '../state/project.ts';
import { keptSettings } from '../state/run-settings.ts';
import { useText } from '../texts/use-text.ts';

/** The whole scene encoded once, and labelled from that as often as wanted. */
export function StoredFeatures({ sceneId, ready }: { sceneId: number; ready: boolean }) {
  const text = useText();
  const writable = host.use((value) => value.project?.access === 'write');
  const path = host.use((value) => value.project?.path);
  const jobs = host.use((value) => value.jobs);
  const limit = preferences.use((value) => value.featureGigabytes);
  const [stored, setStored] = useState<Stored | null>(null);
  const [changes, setChanges] = useState(0);
  const encoding = jobs.filter(({ kind }) => kind === 'encode');
  const states = encoding.map(({ id, state }) => `${id} ${state}`).join();
  const busy = encoding.some(({ state }) => state === 'running' || state === 'queued');

  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again when a job has ended, or something was removed
  useEffect(() => {
    let current = true;
    void ask.runs.features({ sceneId }).then(
      (found) => current && setStored(found),
      () => current && setStored(null),
    );
    return () => {
      current = false;
    };
  }, [sceneId, path, states, changes]);

  const encode = async () => {
    const { project } = host.get();
    if (!project || !runScene()) return;
    // Words play no part in an encoding.
    const nothing = { name: 'nothing', words: ['nothing'], colour: '#000000', threshold: null };
    const settings = runSettings(null) ?? {
      ...keptSettings(project.settings),
      prompts: [nothing],
      extent: null,
    };
    const queued = await attempt(ask.runs.encode({ sceneId, settings, limitBytes: limit * 1e9 }));
    if (queued) layout.show('jobs');
  };
  const remove = async () => {
    await attempt(ask.runs.removeFeatures({ sceneId }));
    setChanges((count) => count + 1);
  };
  const whole = stored !== null && stored.finished === stored.windows && stored.coordinates === 1;
  return (
    <div className="stored">
      {stored && (
        <p className="quiet" role="status">
          {text(whole ? 'stored.whole' : 'stored.part', {
            pack: stored.pack,
            size: (stored.bytes / 1e6).toFixed(1),
            share: Math.floor((50 * stored.finished) / stored.windows + 50 * stored.coordinates),
          })}{' '}
          <button type="button" className="link" disabled={busy || !writable} onClick={() => void remove()}>
            {text('stored.remove')}
          </button>
        </p>
      )}
      <div className="buttons">
        <button
          type="button"
          disabled={busy || !writable}
          title={text('stored.encodeTip')}
          onClick={() => void encode()}
        >
          {text(stored && !whole ? 'stored.resume' : 'stored.encode')}
        </button>
        <button
          type="button"
          disabled={!whole || busy || !writable || !ready}
          title={text('stored.relabelTip')}
          onClick={() => void startRun(true)}
        >
          {text('stored.relabel')}
        </button>
      </div>
      {!whole && (
        <label className="limit">
          <span>{text('stored.limit')}</span>
          <NumberInput
            minimum={0.01}
            value={limit}
            onRest={(featureGigabytes) => preferences.set({ featureGigabytes })}
          />
          <span className="unit">GB</span>
        </label>
      )}
    </div>
  );
}
