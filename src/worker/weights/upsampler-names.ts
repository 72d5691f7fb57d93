import { type NameRule, prefixBefore } from './name-rule.ts';

/**
 * Names within the upsampler: `up.…` once (SimFeatUp's JBU_One) or `up1.…` to `up4.…` (FeatUp's JBU_Stack). In files
 * written by the authors the second convolution of a sequence has index 3, behind GELU and dropout, and the last one
 * has index 1 behind its own dropout; files written by this program number convolutions only.
 */
const step = /^(up[1-4]?)\.(?:(range_temp|sigma_spatial)|(range_proj|fixup_proj)\.([0-3])\.(weight|bias))$/;
const last = /^fixup_proj\.(?:[01]\.)?(weight|bias)$/;

/** Rules for an upsampler behind any prefix (`upsampler.` in Lightning checkpoints), or undefined if there is none. */
export function upsamplerNames(path: string, names: string[]): NameRule[] | undefined {
  const prefix = prefixBefore(path, names, 'up.range_temp') ?? prefixBefore(path, names, 'up1.range_temp');
  if (prefix === undefined) return undefined;
  const rules: NameRule[] = [];
  for (const from of names) {
    if (!from.startsWith(prefix)) continue;
    const name = upsamplerName(from.slice(prefix.length));
    if (name) rules.push({ name, from: [from], transposed: false });
  }
  return rules;
}

function upsamplerName(name: string): string | undefined {
  const [, up, scalar, sequence, index, leaf] = name.match(step) ?? [];
  if (scalar) return name;
  if (sequence) return `${up}.${sequence}.${index === '0' ? 0 : 1}.${leaf}`;
  const [, lastLeaf] = name.match(last) ?? [];
  return lastLeaf ? `fixup_proj.${lastLeaf}` : undefined;
}

/** Which upsampler these names (ours) belong to; undefined if to none. */
export function detectUpsampler(names: readonly string[]): 'jbu_one' | 'jbu_stack' | undefined {
  if (names.includes('up.range_temp')) return 'jbu_one';
  if (names.includes('up1.range_temp')) return 'jbu_stack';
  return undefined;
}
