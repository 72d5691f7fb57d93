import { describe, expect, it } from 'vitest';
import {
  bandList,
  decimal,
  examplePlaces,
  extentOf,
  memorySize,
  resolutionOf,
  thresholdOf,
  wholeNumber,
} from '../../../src/main/cli/arguments.ts';

describe('option texts', () => {
  it('become values', () => {
    expect(wholeNumber(0)('224')).toBe(224);
    expect(decimal(-10, 10)('-0.3')).toBe(-0.3);
    expect(memorySize('4GB')).toBe(4e9);
    expect(memorySize('1.5 GiB')).toBe(1.5 * 2 ** 30);
    expect(memorySize('1500')).toBe(1.5e9);
    expect(bandList('4,3,2')).toEqual([4, 3, 2]);
    expect(resolutionOf('native')).toBe('native');
    expect(resolutionOf('0.7')).toBe(0.7);
    expect(extentOf('1,2,3.5,4')).toEqual({ unit: 'crs', box: [1, 2, 3.5, 4] });
    expect(extentOf('pixels:0,10,20,30')).toEqual({ unit: 'pixels', box: [0, 10, 20, 30] });
    expect(examplePlaces('pool=1,-2; 3,4e2', {})).toEqual({
      pool: [
        [1, -2],
        [3, 400],
      ],
    });
    expect(examplePlaces('constructor=1,2', {})).toEqual({ constructor: [[1, 2]] });
    expect(thresholdOf('0.4')).toBe(0.4);
    expect(thresholdOf('0.4,0.3')).toEqual([0.4, 0.3]);
    expect(thresholdOf('road=0.4,bare soil=0.2')).toEqual({ road: 0.4, 'bare soil': 0.2 });
  });

  it.each([
    [wholeNumber(1), ['0', '1.5', '', 'x', '-1', 'Infinity']],
    [wholeNumber(1, 2), ['0', '3']],
    [
      (text: string) => examplePlaces(text, {}),
      ['pool', '=1,2', 'pool=1', 'pool=1,', 'pool=,2', 'pool=1,2;', 'pool=1,x'],
    ],
    [decimal(0, 1), ['1.1', '-0.1', 'NaN', '', 'x']],
    [memorySize, ['4XB', '10MB', '-1GB', '', 'GB']],
    [bandList, ['0', '1,2', '1,2,3,4', 'a,b,c', '']],
    [resolutionOf, ['0', '-1', 'fine', 'Infinity', '']],
    [
      extentOf,
      ['1,2,3', '3,2,1,4', '1,2,3,x', 'pixels:0,0,0,10', 'pixels:0,0,1.5,10', 'pixels:-1,0,5,5', ''],
    ],
    [thresholdOf, ['2', 'x', '0.1,2', 'road=2', 'road=', '']],
  ])('are refused where they make no sense', (parse, texts) => {
    for (const text of texts) expect(() => parse(text), `"${text}"`).toThrow(/Give|needed|must/);
  });
});
