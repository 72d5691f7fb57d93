import { type NameRule, prefixBefore } from './name-rule.ts';

/** What belongs to a CLIP, in OpenCLIP's and OpenAI's names. Counters and masks beside it do not match. */
const clipTensor = new RegExp(
  [
    '^(visual\\.)?(class_embedding|positional_embedding|text_projection|logit_scale|proj)$',
    '^visual\\.conv1\\.weight$',
    '^token_embedding\\.weight$',
    '^(visual\\.)?(ln_pre|ln_post|ln_final)\\.(weight|bias)$',
    '^(visual\\.)?transformer\\.resblocks\\.\\d+\\.(ln_1|ln_2|attn\\.out_proj|mlp\\.c_fc|mlp\\.c_proj)\\.(weight|bias)$',
    '^(visual\\.)?transformer\\.resblocks\\.\\d+\\.attn\\.in_proj_(weight|bias)$',
  ].join('|'),
);

/**
 * OpenCLIP's and OpenAI's names are ours, behind any prefix (`module.`, `model.`, …); OpenCLIP's classes with a
 * separate text tower put `text.` before its tensors.
 */
export function openClipNames(path: string, names: string[]): NameRule[] | undefined {
  const prefix = prefixBefore(path, names, 'visual.conv1.weight');
  if (prefix === undefined) return undefined;
  const rules: NameRule[] = [];
  for (const from of names) {
    if (!from.startsWith(prefix)) continue;
    const name = from.slice(prefix.length).replace(/^text\./, '');
    if (clipTensor.test(name)) rules.push({ name, from: [from], transposed: false });
  }
  return rules;
}
