import { describe, expect, it } from 'vitest';
import {
  type RadarStyle,
  radarPictures,
  sameChannels,
  withChannels,
  withScale,
} from '../../../src/renderer/panels/radar-style.ts';

const falseColour: RadarStyle = {
  kind: 'radar',
  quantity: 'amplitude',
  channels: [
    { band: 0, by: null },
    { band: 1, by: null },
    { band: 0, by: 1 },
  ],
  scale: 'decibel',
  stretch: [
    { low: -20, high: 0 },
    { low: -26, high: -8 },
    { low: 2, high: 12 },
  ],
  gamma: 1,
};
const statistics = [0, 1].map((band) => ({
  band,
  name: `${band}`,
  minimum: 0,
  maximum: 9,
  mean: 1,
  deviation: 1,
  low: 0.01,
  high: 1,
  histogram: [],
}));

describe('how a radar scene is shown', () => {
  it('offers what its bands allow', () => {
    const names = (roles: (string | null)[]) => radarPictures(roles).map(({ name }) => name);
    expect(names(['VV', 'VH'])).toEqual(['VV', 'VH', 'ratio', 'false-colour']);
    expect(names(['HV', 'HH'])).toEqual(['HH', 'HV', 'ratio', 'false-colour']);
    expect(names(['VV'])).toEqual(['VV']);
    expect(names([null, null])).toEqual([]);
    const shown = radarPictures(['VV', 'VH']).find(({ channels }) =>
      sameChannels(channels, falseColour.channels),
    );
    expect(shown?.name).toBe('false-colour');
  });

  it('law: what was shown before keeps its stretch; the way there and back changes nothing', () => {
    for (const { channels } of radarPictures(['VV', 'VH'])) {
      const other = withChannels(falseColour, channels, statistics);
      for (const [at, channel] of other.channels.entries()) {
        const before = falseColour.channels.findIndex(
          ({ band, by }) => band === channel.band && by === channel.by,
        );
        expect(other.stretch[at]).toEqual(falseColour.stretch[before]);
      }
    }
  });

  it('takes a new channel’s stretch from its values: amplitudes of 0.01 to 1 are -40 to 0 dB', () => {
    const grey = withChannels(falseColour, [0, 0, 0].map(() => ({ band: 1, by: null })) as never, []);
    const other = withChannels(grey, [0, 0, 0].map(() => ({ band: 0, by: null })) as never, statistics);
    expect(other.stretch[0]!.low).toBeCloseTo(-40, 12);
    expect(other.stretch[0]!.high).toBeCloseTo(0, 12);
    expect(
      withChannels({ ...grey, quantity: 'power' }, other.channels, statistics).stretch[0]!.low,
    ).toBeCloseTo(-20, 12);
  });

  it('law: the other scale and back is the same stretch', () => {
    const linear = withScale(falseColour, 'linear');
    expect(linear.stretch[0]!.low).toBeCloseTo(0.01, 12);
    for (const [at, range] of withScale(linear, 'decibel').stretch.entries()) {
      expect(range.low).toBeCloseTo(falseColour.stretch[at]!.low, 9);
      expect(range.high).toBeCloseTo(falseColour.stretch[at]!.high, 9);
    }
  });
});
