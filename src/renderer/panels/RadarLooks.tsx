import type { BandStatistics } from '../../main/rpc/scenes.ts';
import { NumberInput } from '../parts/NumberInput.tsx';
import type { TextKey } from '../texts/catalogue.ts';
import { useText } from '../texts/use-text.ts';
import { type RadarStyle, radarPictures, sameChannels, withChannels, withScale } from './radar-style.ts';

/** How a radar scene is shown on the map: polarisation, ratio or false colour, scale, stretch. Runs do not depend on it. */
export function RadarLooks({
  style,
  roles,
  statistics,
  save,
}: {
  style: RadarStyle;
  roles: readonly (string | null)[];
  statistics: readonly BandStatistics[];
  save(style: RadarStyle): void;
}) {
  const text = useText();
  const pictures = radarPictures(roles);
  const shown = pictures.find(({ channels }) => sameChannels(channels, style.channels));
  // Grey is one channel three times.
  const grey = sameChannels(style.channels, [style.channels[0], style.channels[0], style.channels[0]]);
  return (
    <>
      {pictures.length > 0 && (
        <label>
          <span>{text('radar.shownAs')}</span>
          <select
            aria-label={text('radar.shownAs')}
            value={shown?.name ?? ''}
            onChange={(event) => {
              const chosen = pictures.find(({ name }) => name === event.target.value);
              if (chosen) save(withChannels(style, chosen.channels, statistics));
            }}
          >
            {!shown && <option value="">–</option>}
            {pictures.map(({ name }) => (
              <option key={name} value={name}>
                {text(`radar.channels.${name}` as TextKey)}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        <span>{text('radar.scale')}</span>
        <select
          aria-label={text('radar.scaleShown')}
          value={style.scale}
          onChange={(event) => save(withScale(style, event.target.value as RadarStyle['scale']))}
        >
          {(['decibel', 'linear'] as const).map((scale) => (
            <option key={scale} value={scale}>
              {text(`radar.scale.${scale}`)}
            </option>
          ))}
        </select>
      </label>
      {style.stretch.slice(0, grey ? 1 : 3).map((range, index) => {
        const put = (part: Partial<typeof range>) => {
          const next = { ...range, ...part };
          if (next.low >= next.high) return;
          const stretch = style.stretch.map((old, at) => (grey || at === index ? next : old));
          save({ ...style, stretch: stretch as RadarStyle['stretch'] });
        };
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a channel is its place
          <label key={index}>
            <span>{grey ? text('radar.stretch') : text(`scene.${channelNames[index]!}`)}</span>
            <NumberInput
              aria-label={text('scene.low')}
              value={Number(range.low.toPrecision(4))}
              onRest={(low) => put({ low })}
            />
            <NumberInput
              aria-label={text('scene.high')}
              value={Number(range.high.toPrecision(4))}
              onRest={(high) => put({ high })}
            />
          </label>
        );
      })}
    </>
  );
}

const channelNames = ['red', 'green', 'blue'] as const;
