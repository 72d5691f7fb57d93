import { useEffect, useState } from 'react';
import type { ProjectScene } from '../../main/rpc/project.ts';
import { attempt } from '../connection/attempt.ts';
import { ask, isAborted, problemOf } from '../connection/client.ts';
import { NumberInput } from '../parts/NumberInput.tsx';
import { host } from '../state/project.ts';
import { keptSettings } from '../state/run-settings.ts';
import type { TextKey } from '../texts/catalogue.ts';
import { useText } from '../texts/use-text.ts';
import { type RadarRecipe, stretchesOf } from './radar-recipe.ts';

type Preparation = Awaited<ReturnType<typeof ask.scenes.preparation>>;

/** A filter may be named alone. */
type Changes = Partial<Omit<RadarRecipe, 'speckle'>> & { speckle?: RadarRecipe['speckle'] | string };

const calibrations = ['none', 'sigma0', 'beta0', 'gamma0'] as const;
const filters = ['none', 'boxcar', 'lee', 'refined-lee', 'frost', 'gamma-map'] as const;
const inputs = ['amplitude', 'power', 'decibel'] as const;
const scales = ['decibel', 'linear'] as const;

/** What a scene is taken for and, of a radar scene, the steps that prepare it for runs: kept with the scene. */
export function RadarPreparation({ scene }: { scene: ProjectScene }) {
  const text = useText();
  const pack = host.use((value) => keptSettings(value.project?.settings).pack);
  const [found, setFound] = useState<Preparation | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const { id, name, radar, version } = scene;
  const isRadar = scene.info?.modality === 'sar';
  const asked = JSON.stringify([radar, scene.info?.modality, pack, version]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: by value
  useEffect(() => {
    if (!isRadar) return;
    const leaving = new AbortController();
    ask.scenes.preparation({ id, pack }, { signal: leaving.signal }).then(
      (told) => {
        setFound(told);
        setProblem(null);
      },
      (error) => {
        if (!isAborted(error)) setProblem(`${problemOf(error).message} ${problemOf(error).hint}`);
      },
    );
    return () => leaving.abort();
  }, [id, asked]);

  const change = (part: { modality?: 'optical' | 'sar' | null; radar?: ProjectScene['radar'] }) => {
    const { radar: next } = part;
    // At once on the screen: the next change builds on it.
    if (next !== undefined)
      host.set(({ project }) => ({
        project: project && {
          ...project,
          scenes: project.scenes.map((one) => (one.id === id ? { ...one, radar: next } : one)),
        },
      }));
    void attempt(ask.scenes.change({ id, ...part, label: text('radar.step', { name }) }));
  };
  const recipe = (found?.recipe ?? null) as RadarRecipe | null;
  const set = (part: Changes) => {
    const now = host.get().project?.scenes.find((one) => one.id === id)?.radar;
    change({ radar: { ...now, ...part } });
  };

  return (
    <section className="fields radar" aria-label={text('radar.title')}>
      <label>
        <span>{text('scene.kind')}</span>
        <select
          aria-label={text('scene.kind')}
          value={scene.modality ?? 'file'}
          onChange={(event) => {
            const { value } = event.target;
            change({ modality: value === 'file' ? null : (value as 'optical' | 'sar') });
          }}
        >
          <option value="file">
            {scene.modality
              ? text('radar.fileDecides')
              : text('radar.ofFile', { kind: text(isRadar ? 'scene.sar' : 'scene.optical') })}
          </option>
          <option value="optical">{text('scene.optical')}</option>
          <option value="sar">{text('scene.sar')}</option>
        </select>
      </label>
      {problem && <p className="notice">{problem}</p>}
      {isRadar && found && (
        <>
          <h4>{text('radar.title')}</h4>
          {recipe ? (
            <Steps recipe={recipe} found={found} bands={bandCount(scene)} set={set} />
          ) : (
            <p className="quiet">{text('radar.asStored')}</p>
          )}
          {found.notes
            .map((note) => ({ warns: note.startsWith('warning: '), told: note.replace(/^warning: /, '') }))
            // What the file itself warns of stands above.
            .filter(({ told }) => !scene.info?.details.warning?.includes(told.replace(/\.$/, '')))
            .map(({ warns, told }) => (
              <p key={told} className={warns ? 'notice' : 'quiet'}>
                {told}
              </p>
            ))}
          <div className="buttons">
            {!recipe && (
              <button type="button" onClick={() => change({ radar: {} })}>
                {text('radar.prepare')}
              </button>
            )}
            {radar && (
              <button type="button" onClick={() => change({ radar: null })}>
                {text('radar.reset')}
              </button>
            )}
          </div>
        </>
      )}
    </section>
  );
}

function bandCount(scene: ProjectScene): number {
  return scene.info?.bands.filter((band) => band.role !== 'alpha').length ?? 1;
}

/** The recipe's steps in the order in which they are taken. */
function Steps({
  recipe,
  found,
  bands,
  set,
}: {
  recipe: RadarRecipe;
  found: Preparation;
  bands: number;
  set(part: Changes): void;
}) {
  const text = useText();
  const { speckle, multilook, stretch } = recipe;
  const choice = <Value extends string>(
    label: TextKey,
    value: Value,
    values: readonly Value[],
    names: (value: Value) => string,
    choose: (value: Value) => void,
    disabled = false,
  ) => (
    <label>
      <span>{text(label)}</span>
      <select
        aria-label={text(label)}
        value={value}
        disabled={disabled}
        onChange={(event) => choose(event.target.value as Value)}
      >
        {values.map((one) => (
          <option key={one} value={one}>
            {names(one)}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <ol className="recipe">
      <li>
        {choice(
          'radar.input',
          recipe.input,
          inputs,
          (value) => text(`radar.input.${value}`),
          (input) => set({ input }),
          found.calibration,
        )}
      </li>
      <li>
        {choice(
          'radar.calibration',
          recipe.calibration,
          calibrations,
          (value) => (value === 'none' ? text('radar.none') : value),
          (calibration) => set({ calibration }),
          !found.calibration,
        )}
        {!found.calibration && <p className="quiet indent">{text('radar.noTables')}</p>}
      </li>
      <li>
        <label>
          <span>{text('radar.noise')}</span>
          <input
            type="checkbox"
            aria-label={text('radar.noise')}
            checked={recipe.noise}
            disabled={!found.noise}
            onChange={(event) => set({ noise: event.target.checked })}
          />
        </label>
      </li>
      <li>
        <label>
          <span>{text('radar.multilook')}</span>
          <NumberInput
            aria-label={text('radar.range')}
            value={multilook.range}
            minimum={1}
            maximum={64}
            step={1}
            onRest={(range) => set({ multilook: { ...multilook, range: Math.round(range) } })}
          />
          ×
          <NumberInput
            aria-label={text('radar.azimuth')}
            value={multilook.azimuth}
            minimum={1}
            maximum={64}
            step={1}
            onRest={(azimuth) => set({ multilook: { ...multilook, azimuth: Math.round(azimuth) } })}
          />
        </label>
      </li>
      <li>
        {choice(
          'radar.speckle',
          speckle.filter,
          filters,
          (value) => (value === 'none' ? text('radar.none') : value),
          // By its name alone it takes its usual settings, with looks that go with the multilook.
          (filter) => set({ speckle: filter }),
        )}
        {'side' in speckle && (
          <label>
            <span>{text('radar.window')}</span>
            <NumberInput
              aria-label={text('radar.window')}
              value={speckle.side}
              minimum={3}
              maximum={31}
              step={2}
              onRest={(side) => set({ speckle: { ...speckle, side: 2 * Math.floor(side / 2) + 1 } })}
            />
            <span className="unit">px</span>
          </label>
        )}
        {speckle.filter === 'refined-lee' && <p className="quiet indent">{text('radar.sevenBySeven')}</p>}
        {'looks' in speckle && (
          <label>
            <span>{text('radar.looks')}</span>
            <NumberInput
              aria-label={text('radar.looks')}
              value={Number(speckle.looks.toFixed(3))}
              minimum={0.1}
              maximum={1000}
              step={0.1}
              onRest={(looks) => set({ speckle: { ...speckle, looks } })}
            />
          </label>
        )}
        {'damping' in speckle && (
          <label>
            <span>{text('radar.damping')}</span>
            <NumberInput
              aria-label={text('radar.damping')}
              value={speckle.damping}
              minimum={0.1}
              maximum={100}
              step={0.1}
              onRest={(damping) => set({ speckle: { ...speckle, damping } })}
            />
          </label>
        )}
      </li>
      <li>
        {choice(
          'radar.channels',
          recipe.composite,
          found.composites as RadarRecipe['composite'][],
          (value) => text(`radar.channels.${value}`),
          // Stretches are of the bands before.
          (composite) => set({ composite, stretch: null }),
        )}
      </li>
      <li>
        {choice(
          'radar.scale',
          recipe.scale,
          scales,
          (value) => text(`radar.scale.${value}`),
          (scale) => set({ scale, stretch: null }),
        )}
      </li>
      <li>
        <label>
          <span>{text('radar.stretch')}</span>
          <select
            aria-label={text('radar.stretch')}
            value={stretch ? 'fixed' : 'measured'}
            onChange={(event) =>
              set({ stretch: event.target.value === 'fixed' ? stretchesOf(recipe, bands) : null })
            }
          >
            <option value="measured">{text('radar.measured')}</option>
            <option value="fixed">{text('radar.fixed')}</option>
          </select>
        </label>
        {stretch?.map((range, index) => {
          const put = (part: Partial<typeof range>) => {
            const next = { ...range, ...part };
            if (next.low < next.high) set({ stretch: stretch.map((old, at) => (at === index ? next : old)) });
          };
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: a band is its number
            <label key={index}>
              <span>{text('radar.band', { band: index + 1 })}</span>
              <NumberInput
                aria-label={text('scene.low')}
                value={range.low}
                minimum={-1e6}
                maximum={1e6}
                step={0.5}
                onRest={(low) => put({ low })}
              />
              <NumberInput
                aria-label={text('scene.high')}
                value={range.high}
                minimum={-1e6}
                maximum={1e6}
                step={0.5}
                onRest={(high) => put({ high })}
              />
            </label>
          );
        })}
      </li>
    </ol>
  );
}
