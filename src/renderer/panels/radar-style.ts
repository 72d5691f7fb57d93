import type { BandStatistics, RasterStyle } from '../../main/rpc/scenes.ts';

export type RadarStyle = Extract<RasterStyle, { kind: 'radar' }>;
type Channel = RadarStyle['channels'][number];
type Range = RadarStyle['stretch'][number];

const pairs = [
  ['VV', 'VH'],
  ['HH', 'HV'],
] as const;

/** What a radar scene can be shown as, by the roles of its bands: each polarisation, their ratio, false colour. */
export function radarPictures(
  roles: readonly (string | null)[],
): { name: string; channels: RadarStyle['channels'] }[] {
  const pictures: { name: string; channels: RadarStyle['channels'] }[] = [];
  const grey = (channel: Channel): RadarStyle['channels'] => [channel, channel, channel];
  for (const role of pairs.flat()) {
    const band = roles.indexOf(role);
    if (band >= 0) pictures.push({ name: role, channels: grey({ band, by: null }) });
  }
  for (const [co, cross] of pairs) {
    const [band, by] = [roles.indexOf(co), roles.indexOf(cross)];
    if (band < 0 || by < 0) continue;
    const ratio = { band, by };
    pictures.push({ name: 'ratio', channels: grey(ratio) });
    pictures.push({ name: 'false-colour', channels: [{ band, by: null }, { band: by, by: null }, ratio] });
  }
  return pictures;
}

export function sameChannels(one: RadarStyle['channels'], other: RadarStyle['channels']): boolean {
  return one.every(({ band, by }, at) => band === other[at]!.band && by === other[at]!.by);
}

/** The style with other channels: each keeps its stretch where it was shown before, else takes one of its band's values. */
export function withChannels(
  style: RadarStyle,
  channels: RadarStyle['channels'],
  statistics: readonly BandStatistics[],
): RadarStyle {
  const stretch = channels.map((channel) => {
    const before = style.channels.findIndex(({ band, by }) => band === channel.band && by === channel.by);
    return before >= 0 ? style.stretch[before]! : usualRange(style, channel, statistics);
  });
  return { ...style, channels, stretch: stretch as RadarStyle['stretch'] };
}

/** Backscatter spans some tens of decibels; co- over cross-polarised power is mostly above 1. */
function usualRange(
  { quantity, scale }: RadarStyle,
  { band, by }: Channel,
  statistics: readonly BandStatistics[],
): Range {
  const found = by === null ? statistics.find((one) => one.band === band) : undefined;
  let range: Range = by === null ? { low: -25, high: 0 } : { low: 0, high: 15 };
  if (found) {
    const decibels = (value: number): number =>
      quantity === 'decibel' ? value : (quantity === 'power' ? 10 : 20) * Math.log10(Math.max(value, 1e-3));
    const [low, high] = [decibels(found.low), decibels(found.high)];
    if (low < high) range = { low, high };
  }
  return scale === 'decibel' ? range : inScale(range, 'linear');
}

/** The style in the other scale, showing nearly the same. */
export function withScale(style: RadarStyle, scale: RadarStyle['scale']): RadarStyle {
  if (scale === style.scale) return style;
  return {
    ...style,
    scale,
    stretch: style.stretch.map((range) => inScale(range, scale)) as RadarStyle['stretch'],
  };
}

/** A stretch of the other scale in this one. */
function inScale({ low, high }: Range, scale: RadarStyle['scale']): Range {
  const convert = (value: number): number =>
    scale === 'linear' ? 10 ** (value / 10) : 10 * Math.log10(Math.max(value, 1e-6));
  return { low: convert(low), high: convert(high) };
}
