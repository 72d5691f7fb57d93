import { useEffect, useState } from 'react';
import type { ProjectScene } from '../../main/rpc/project.ts';
import type { BandStatistics, RasterStyle } from '../../main/rpc/scenes.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { Histogram } from '../parts/Histogram.tsx';
import { Slider } from '../parts/Slider.tsx';
import { dialogs } from '../state/dialogs.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';
import { RadarLooks } from './RadarLooks.tsx';
import { RadarPreparation } from './RadarPreparation.tsx';

type Imagery = Extract<RasterStyle, { kind: 'imagery' }>;
const channels = ['red', 'green', 'blue'] as const;

/** Bands, stretch and facts of the selected scene. */
export function ScenePanel() {
  const project = host.use((value) => value.project);
  const node = session.use((value) => value.node);
  const text = useText();
  const scene = project?.scenes.find(({ id }) => `scene:${id}` === node) ?? project?.scenes.at(-1);
  if (!scene)
    return (
      <div className="panel empty">
        <p>{text('scene.empty')}</p>
      </div>
    );
  return (
    <div className="panel scene" key={scene.id}>
      <h3>{scene.name}</h3>
      {[scene.problem, scene.info?.details.warning].map(
        (told) =>
          told && (
            <p key={told} className="notice">
              {told}
            </p>
          ),
      )}
      {scene.style && scene.style.kind !== 'classes' && <StretchEditor scene={scene} style={scene.style} />}
      {scene.info && <RadarPreparation scene={scene} />}
      {scene.info && <Facts scene={scene} />}
    </div>
  );
}

function StretchEditor({
  scene,
  style,
}: {
  scene: ProjectScene;
  style: Exclude<RasterStyle, { kind: 'classes' }>;
}) {
  const text = useText();
  const [statistics, setStatistics] = useState<readonly BandStatistics[]>([]);
  const bands = scene.info?.bands.length ?? 0;
  useEffect(() => {
    let current = true;
    const all = Array.from({ length: Math.min(bands, 16) }, (_, band) => band);
    if (all.length > 0)
      void ask.scenes.statistics({ id: scene.id, bands: all }).then(
        (found) => current && setStatistics(found),
        () => {},
      );
    return () => {
      current = false;
    };
  }, [scene.id, bands]);

  const save = (next: RasterStyle) =>
    void attempt(
      ask.scenes.change({ id: scene.id, style: next, label: text('step.style', { name: scene.name }) }),
    );
  const stretchBy = (way: 'cut' | 'range' | 'deviation') => {
    if (style.kind !== 'imagery' || statistics.length === 0) return;
    const stretch = style.bands.map((band, channel) => {
      const found = statistics.find((one) => one.band === band);
      if (!found) return style.stretch[channel]!;
      const pair =
        way === 'cut'
          ? { low: found.low, high: found.high }
          : way === 'range'
            ? { low: found.minimum, high: found.maximum }
            : { low: found.mean - 2 * found.deviation, high: found.mean + 2 * found.deviation };
      return pair.low === pair.high ? { low: pair.low, high: pair.low + 1 } : pair;
    });
    save({ ...style, stretch: stretch as Imagery['stretch'] });
  };

  return (
    <div className="fields">
      {style.kind === 'imagery' &&
        channels.map((channel, index) => {
          const band = style.bands[index]!;
          const found = statistics.find((one) => one.band === band);
          const range = style.stretch[index]!;
          const span = found ? found.maximum - found.minimum || 1 : 1;
          const setRange = (part: Partial<typeof range>) => {
            const next = { ...range, ...part };
            if (next.low === next.high || !Number.isFinite(next.low) || !Number.isFinite(next.high)) return;
            save({
              ...style,
              stretch: style.stretch.map((old, i) => (i === index ? next : old)) as Imagery['stretch'],
            });
          };
          return (
            <div key={channel} className={`channel ${channel}`}>
              <label>
                <span>{text(`scene.${channel}`)}</span>
                <select
                  value={band}
                  onChange={(event) => {
                    const chosen = Number(event.target.value);
                    const its = statistics.find((one) => one.band === chosen);
                    save({
                      ...style,
                      bands: style.bands.map((old, i) => (i === index ? chosen : old)) as Imagery['bands'],
                      stretch: style.stretch.map((old, i) =>
                        i === index && its && its.low < its.high ? { low: its.low, high: its.high } : old,
                      ) as Imagery['stretch'],
                    });
                  }}
                >
                  {Array.from({ length: bands }, (_, i) => (
                    // biome-ignore lint/suspicious/noArrayIndexKey: a band is its number
                    <option key={i} value={i}>
                      {i + 1} {statistics.find((one) => one.band === i)?.name ?? ''}
                    </option>
                  ))}
                </select>
              </label>
              {found && (
                <Histogram
                  counts={found.histogram}
                  from={(range.low - found.minimum) / span}
                  to={(range.high - found.minimum) / span}
                  label={text('scene.histogram', { band: band + 1 })}
                />
              )}
              <div className="range">
                <input
                  type="number"
                  aria-label={text('scene.low')}
                  key={`l${range.low}`}
                  defaultValue={Number(range.low.toPrecision(6))}
                  onBlur={(event) =>
                    Number(event.target.value) !== Number(range.low.toPrecision(6)) &&
                    setRange({ low: Number(event.target.value) })
                  }
                />
                <input
                  type="number"
                  aria-label={text('scene.high')}
                  key={`h${range.high}`}
                  defaultValue={Number(range.high.toPrecision(6))}
                  onBlur={(event) =>
                    Number(event.target.value) !== Number(range.high.toPrecision(6)) &&
                    setRange({ high: Number(event.target.value) })
                  }
                />
              </div>
            </div>
          );
        })}
      {style.kind === 'radar' && (
        <RadarLooks
          style={style}
          roles={scene.info?.bands.map(({ role }) => (typeof role === 'string' ? role : null)) ?? []}
          statistics={statistics}
          save={save}
        />
      )}
      {style.kind === 'imagery' && (
        <div className="buttons">
          <button type="button" onClick={() => stretchBy('cut')}>
            2–98 %
          </button>
          <button type="button" onClick={() => stretchBy('range')}>
            {text('scene.minmax')}
          </button>
          <button type="button" onClick={() => stretchBy('deviation')}>
            {text('scene.deviation')}
          </button>
        </div>
      )}
      <Slider
        label={text('scene.gamma')}
        value={style.gamma}
        minimum={0.2}
        maximum={3}
        step={0.05}
        format={(value) => value.toFixed(2)}
        onRest={(gamma) => save({ ...style, gamma })}
      />
    </div>
  );
}

function Facts({ scene }: { scene: ProjectScene }) {
  const text = useText();
  const info = scene.info!;
  const size = info.pixelSize?.map((value) => Number(value.toPrecision(6))).join(' × ');
  const rows: [string, string][] = [
    [
      text('scene.size'),
      `${info.width.toLocaleString()} × ${info.height.toLocaleString()} px, ${info.bands.length}`,
    ],
    [
      text('scene.crs'),
      info.crs === 'PIXELS' ? text('layers.unknownCrs') : `${info.crsName ?? ''} (${info.crs})`,
    ],
    [text('scene.pixel'), size ? `${size} ${info.unit ?? ''}` : '–'],
    [
      text('scene.ground'),
      info.groundSampleDistance === null ? '–' : `${Number(info.groundSampleDistance.toPrecision(3))} m`,
    ],
    [text('scene.extent'), info.extent.map((value) => Number(value.toPrecision(9))).join(', ')],
    [text('scene.format'), info.format],
    [text('scene.path'), scene.path],
    ...Object.entries(info.details),
  ];
  return (
    <>
      <dl className="facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <button
        type="button"
        onClick={() =>
          dialogs.set({
            crs: {
              current: info.crs,
              choose: (crs) =>
                void attempt(
                  ask.scenes.change({
                    id: scene.id,
                    crs,
                    label: text('step.assignCrs', { name: scene.name }),
                  }),
                ),
            },
          })
        }
      >
        {text('scene.assignCrs')}
      </button>
    </>
  );
}
