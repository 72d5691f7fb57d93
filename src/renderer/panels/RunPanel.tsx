import { runCommand } from '../commands/commands.ts';
import { runScene, saveRunSettings } from '../commands/next-run.ts';
import { cancelPreview } from '../commands/run.ts';
import { durationText } from '../parts/duration.ts';
import { NumberInput } from '../parts/NumberInput.tsx';
import { Slider } from '../parts/Slider.tsx';
import { shortTitle } from '../parts/short-title.ts';
import { dialogs } from '../state/dialogs.ts';
import { host } from '../state/project.ts';
import { type KeptSettings, keptSettings } from '../state/run-settings.ts';
import { session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';
import { StoredFeatures } from './StoredFeatures.tsx';
import { useEstimate } from './use-estimate.ts';
import { useSpeeds } from './use-speeds.ts';

const attentions = ['segearth', 'sclip', 'gem', 'clearclip', 'maskclip', 'vanilla', 'clip'];

/** How the classes are looked for, and what it will take. */
export function RunPanel() {
  const text = useText();
  const project = host.use((value) => value.project);
  const packs = host.use((value) => value.packs);
  const working = host.use(({ jobs }) =>
    jobs.some(({ state }) => state === 'running' || state === 'queued' || state === 'interrupted'),
  );
  const extent = session.use((value) => value.extent);
  // The scene that is selected is the run's.
  session.use((value) => value.node);
  const previewing = session.use((value) => value.previewing);
  const previewShare = session.use((value) => value.previewShare);
  const live = session.use((value) => value.live);
  const livePreview = session.use((value) => value.livePreview);
  const preview = session.use((value) => value.preview);
  const confidence = session.use((value) => value.previewConfidence);
  const settings = keptSettings(project?.settings);
  const pack = packs.find(({ name }) => name === settings.pack);

  const scene = runScene();
  const ready = scene !== null && project !== null && project.prompts.length > 0;
  const {
    providers,
    chosen: provider,
    measuring,
    measure,
  } = useSpeeds(settings.pack, settings.provider, ready && !working && !previewing);
  const estimate = useEstimate(providers);

  if (!project)
    return (
      <div className="panel empty">
        <p>{text('run.noProject')}</p>
      </div>
    );

  const save = (part: Partial<KeptSettings>) => void saveRunSettings(part);

  return (
    <div className="panel run">
      <div className="fields">
        <label>
          <span>{text('run.scene')}</span>
          <select
            value={scene?.id ?? ''}
            onChange={(event) => session.set({ node: `scene:${event.target.value}` })}
            disabled={project.scenes.length === 0}
          >
            {project.scenes.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>{text('run.pack')}</span>
          <select
            value={settings.pack}
            title={pack?.title}
            onChange={(event) => save({ pack: event.target.value })}
          >
            {!pack?.installed && (
              <option value={settings.pack} disabled>
                {settings.pack} ({text('run.absent')})
              </option>
            )}
            {packs
              .filter(({ installed }) => installed)
              .map(({ name, title, precision }) => (
                <option key={name} value={name}>
                  {shortTitle({ title })}
                  {precision !== 'float32' && `, ${precision}`}
                </option>
              ))}
          </select>
          <button type="button" onClick={() => dialogs.set({ packs: true })} title={text('command.packs')}>
            …
          </button>
        </label>
        <label>
          <span>{text('run.provider')}</span>
          <select value={settings.provider} onChange={(event) => save({ provider: event.target.value })}>
            {providers.map(({ name, title, available }) => (
              <option key={name} value={name} disabled={!available}>
                {title}
                {available ? '' : ` (${text('run.absent')})`}
              </option>
            ))}
          </select>
        </label>
        <div className="indent speed">
          <span className="quiet">
            {pack?.installed && pack.precision !== 'float32' && `${pack.precision} · `}
            {provider?.windowsPerSecond
              ? text('run.speed', { speed: provider.windowsPerSecond.toFixed(1) })
              : text(measuring ? 'run.measuring' : 'run.notMeasured')}
          </span>
          <button
            type="button"
            disabled={measuring}
            onClick={() => void measure()}
            title={text('run.measureTip')}
          >
            {text('run.measure')}
          </button>
        </div>
        <label>
          <span>{text('run.resolution')}</span>
          <select
            value={settings.resolution === null ? '' : settings.resolution === 'native' ? 'native' : 'metres'}
            onChange={(event) =>
              save({
                resolution:
                  event.target.value === ''
                    ? null
                    : event.target.value === 'native'
                      ? 'native'
                      : (scene?.info?.groundSampleDistance ?? 1),
              })
            }
          >
            <option value="">{text('run.resolutionChosen')}</option>
            <option value="native">{text('run.resolutionNative')}</option>
            <option value="metres">{text('run.resolutionMetres')}</option>
          </select>
          {typeof settings.resolution === 'number' && (
            <NumberInput
              minimum={0.01}
              step={0.1}
              value={settings.resolution}
              aria-label={text('run.metresPerPixel')}
              onRest={(resolution) => save({ resolution })}
            />
          )}
        </label>
        <fieldset className="choice">
          <legend>{text('run.extent')}</legend>
          {(['scene', 'view', 'box'] as const).map((kind) => (
            <label key={kind}>
              <input
                type="radio"
                name="extent"
                checked={extent.kind === kind}
                onChange={() =>
                  kind === 'box' ? runCommand('processing.extent') : session.set({ extent: { kind } })
                }
              />
              {text(`run.extent.${kind}`)}
            </label>
          ))}
        </fieldset>
        <details>
          <summary>{text('run.advanced')}</summary>
          <fieldset className="choice explained">
            <legend>{text('run.mode')}</legend>
            {(['reference', 'fast'] as const).map((mode) => (
              <label key={mode}>
                <input
                  type="radio"
                  name="mode"
                  checked={settings.mode === mode}
                  onChange={() => save({ mode })}
                />
                <span>
                  {text(`run.mode.${mode}`)}
                  <small className="quiet">{text(`run.mode.${mode}Tip`)}</small>
                </span>
              </label>
            ))}
          </fieldset>
          <label>
            <span>{text('run.minArea')}</span>
            <NumberInput minimum={0} value={settings.minArea} onRest={(minArea) => save({ minArea })} />
            <span className="unit">m²</span>
          </label>
          <label>
            <span>{text('run.simplify')}</span>
            <NumberInput
              minimum={0}
              step={0.1}
              value={settings.simplify}
              onRest={(simplify) => save({ simplify })}
            />
            <span className="unit">m</span>
          </label>
          <label>
            <span>{text('run.attention')}</span>
            <select
              value={settings.attention ?? ''}
              onChange={(event) => save({ attention: event.target.value || null })}
            >
              <option value="">{text('run.ofPack')}</option>
              {attentions.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <label>
            <span>{text('run.lastLayers')}</span>
            <select
              value={settings.lastLayers ?? ''}
              onChange={(event) =>
                save({ lastLayers: event.target.value ? Number(event.target.value) : null })
              }
            >
              <option value="">{text('run.ofPack')}</option>
              <option>1</option>
              <option>2</option>
            </select>
          </label>
          <label>
            <span>{text('run.upsampler')}</span>
            <select
              value={settings.upsampler ?? ''}
              onChange={(event) => save({ upsampler: event.target.value || null })}
            >
              <option value="">{text('run.ofPack')}</option>
              <option value="none">{text('run.noUpsampler')}</option>
              {pack?.upsampler && <option>{pack.upsampler}</option>}
            </select>
          </label>
          <label>
            <span>{text('run.lambda')}</span>
            <NumberInput step={0.1} value={settings.lambda} onRest={(lambda) => save({ lambda })} />
          </label>
          <label>
            <span>{text('run.stride')}</span>
            <NumberInput
              minimum={1}
              step={16}
              value={settings.stride}
              onRest={(stride) => save({ stride: Math.round(stride) })}
            />
            <span className="unit">px</span>
          </label>
        </details>
      </div>
      {estimate && 'problem' in estimate && <p className="notice">{estimate.problem}</p>}
      {estimate && !('problem' in estimate) && (
        <>
          {estimate.notes.map((note) => (
            <p key={note} className="quiet">
              {note}
            </p>
          ))}
          {estimate.warnings.map((warning) => (
            <p key={warning} className="notice">
              {warning}
            </p>
          ))}
        </>
      )}
      {project.access !== 'write' && <p className="notice">{text('run.readOnly')}</p>}
      <div className="foot">
        {!ready && <p className="quiet">{text(scene ? 'run.noClassHint' : 'run.noSceneHint')}</p>}
        {estimate && !('problem' in estimate) && (
          <p className="estimate" role="status">
            {estimate.seconds === null
              ? text(measuring ? 'run.estimateSoon' : 'run.estimateUnknown', { windows: estimate.windows })
              : text('run.estimate', { time: durationText(estimate.seconds), windows: estimate.windows })}
            {estimate.workingResolution !== null &&
              ` · ${text('run.atResolution', { metres: Number(estimate.workingResolution.toPrecision(3)) })}`}
          </p>
        )}
        <div className="buttons">
          {previewing ? (
            <button type="button" onClick={cancelPreview}>
              {text('run.previewing', { share: Math.floor(previewShare * 100) })} ✕
            </button>
          ) : (
            <button type="button" disabled={!ready} onClick={() => runCommand('processing.preview')}>
              {text('command.preview')}
            </button>
          )}
          <button
            type="button"
            className="main"
            disabled={!ready || project.access !== 'write'}
            onClick={() => runCommand('processing.run')}
          >
            {text('command.run')}
          </button>
        </div>
      </div>
      {preview && (
        <>
          <Slider
            label={text('run.previewConfidence')}
            value={confidence}
            minimum={0}
            maximum={1}
            step={0.01}
            format={(value) => `${Math.round(value * 100)} %`}
            onMove={(value) => session.set({ previewConfidence: value })}
          />
          <label className="live" title={text('run.liveTip')}>
            <input
              type="checkbox"
              checked={livePreview}
              onChange={(event) => session.set({ livePreview: event.target.checked })}
            />
            {text('run.live')}
          </label>
          {livePreview && live === null && <p className="quiet">{text('run.liveGone')}</p>}
          <button type="button" className="link" onClick={() => session.set({ preview: null, heat: null })}>
            {text('run.dropPreview')}
          </button>
        </>
      )}
      {scene && <StoredFeatures sceneId={scene.id} ready={ready} />}
    </div>
  );
}
