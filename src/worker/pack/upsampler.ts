import { Problem } from '../report/problem.ts';
import type { Manifest } from './manifest.ts';

/** An upsampler by the name that people know: SimFeatUp has one step for all doublings, FeatUp one for each. */
export type UpsamplerName = 'simfeatup' | 'featup';

const names = { jbu_one: 'simfeatup', jbu_stack: 'featup' } as const;

/** The pack's upsampler by name, or null without one. */
export function upsamplerName({ upsampler }: Pick<Manifest, 'upsampler'>): UpsamplerName | null {
  return upsampler && names[upsampler.kind];
}

/** The pack's upsampler. Throws `pack/no-upsampler`. */
export function upsamplerOf({ name, upsampler }: Manifest): NonNullable<Manifest['upsampler']> {
  if (upsampler) return upsampler;
  throw new Problem(
    'pack/no-upsampler',
    `Pack ${name} has no upsampler.`,
    'Use --upsampler none, or build the pack with one.',
  );
}

/** Whether to upsample, where that was asked; null where it is left open. Throws `pack/no-upsampler` for another's. */
export function upsampleAsked(asked: UpsamplerName | 'none' | null, manifest: Manifest): boolean | null {
  if (asked === null) return null;
  if (asked === 'none') return false;
  const own = upsamplerName(manifest);
  if (asked === own) return true;
  throw new Problem(
    'pack/no-upsampler',
    `Pack ${manifest.name} has no ${asked} upsampler${own ? `, but ${own}` : ''}.`,
    'Leave --upsampler out to use what the pack has, or use none.',
  );
}
