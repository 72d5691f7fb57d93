import { expect, test } from 'vitest';
import type { Manifest } from '../../../src/worker/pack/manifest.ts';
import { upsampleAsked, upsamplerName, upsamplerOf } from '../../../src/worker/pack/upsampler.ts';

const pack = (kind: 'jbu_one' | 'jbu_stack' | null) =>
  ({ name: 'p', upsampler: kind && { kind } }) as unknown as Manifest;

test('an upsampler answers to its own name alone, and a pack without one to none', () => {
  for (const [kind, name, other] of [
    ['jbu_one', 'simfeatup', 'featup'],
    ['jbu_stack', 'featup', 'simfeatup'],
  ] as const) {
    expect(upsamplerName(pack(kind))).toBe(name);
    expect(upsampleAsked(name, pack(kind))).toBe(true);
    expect(() => upsampleAsked(other, pack(kind))).toThrow(`Pack p has no ${other} upsampler, but ${name}.`);
    expect(upsamplerOf(pack(kind)).kind).toBe(kind);
  }
  expect(upsamplerName(pack(null))).toBeNull();
  expect(() => upsampleAsked('featup', pack(null))).toThrow('Pack p has no featup upsampler.');
  expect(() => upsamplerOf(pack(null))).toThrow('Pack p has no upsampler.');
  for (const kind of ['jbu_one', null] as const) {
    expect(upsampleAsked('none', pack(kind))).toBe(false);
    expect(upsampleAsked(null, pack(kind))).toBeNull();
  }
});
