import { type NameRule, prefixBefore } from './name-rule.ts';

/** transformers' CLIPModel → OpenCLIP. `T` marks matrices that transformers holds as [out, in]. */
const single: [from: string, name: string, transposed?: 'T'][] = [
  ['logit_scale', 'logit_scale'],
  ['vision_model.embeddings.class_embedding', 'visual.class_embedding'],
  ['vision_model.embeddings.patch_embedding.weight', 'visual.conv1.weight'],
  ['vision_model.embeddings.position_embedding.weight', 'visual.positional_embedding'],
  // Spelt so in transformers.
  ['vision_model.pre_layrnorm.weight', 'visual.ln_pre.weight'],
  ['vision_model.pre_layrnorm.bias', 'visual.ln_pre.bias'],
  ['vision_model.post_layernorm.weight', 'visual.ln_post.weight'],
  ['vision_model.post_layernorm.bias', 'visual.ln_post.bias'],
  ['visual_projection.weight', 'visual.proj', 'T'],
  ['text_model.embeddings.token_embedding.weight', 'token_embedding.weight'],
  ['text_model.embeddings.position_embedding.weight', 'positional_embedding'],
  ['text_model.final_layer_norm.weight', 'ln_final.weight'],
  ['text_model.final_layer_norm.bias', 'ln_final.bias'],
  ['text_projection.weight', 'text_projection', 'T'],
];

const towers: [from: string, name: string][] = [
  ['vision_model.encoder.layers.', 'visual.transformer.resblocks.'],
  ['text_model.encoder.layers.', 'transformer.resblocks.'],
];

/** Within a layer. */
const layer: [from: string[], name: string][] = ['weight', 'bias'].flatMap((leaf): [string[], string][] => [
  [[`layer_norm1.${leaf}`], `ln_1.${leaf}`],
  [['q', 'k', 'v'].map((part) => `self_attn.${part}_proj.${leaf}`), `attn.in_proj_${leaf}`],
  [[`self_attn.out_proj.${leaf}`], `attn.out_proj.${leaf}`],
  [[`layer_norm2.${leaf}`], `ln_2.${leaf}`],
  [[`mlp.fc1.${leaf}`], `mlp.c_fc.${leaf}`],
  [[`mlp.fc2.${leaf}`], `mlp.c_proj.${leaf}`],
]);

/** The names of transformers' CLIPModel; what is not there (a query without its key, say) makes no rule. */
export function transformersNames(path: string, names: string[]): NameRule[] | undefined {
  const prefix = prefixBefore(path, names, 'vision_model.embeddings.patch_embedding.weight');
  if (prefix === undefined) return undefined;
  const present = new Set(names);
  const rules: NameRule[] = [];
  const add = (name: string, from: string[], transposed: boolean): void => {
    if (from.every((source) => present.has(source))) rules.push({ name, from, transposed });
  };
  for (const [from, name, transposed] of single) add(name, [prefix + from], transposed === 'T');
  for (const [from, name] of towers) {
    const numbers = new Set<string>();
    for (const source of names) {
      if (!source.startsWith(prefix + from)) continue;
      const number = source.slice(prefix.length + from.length).match(/^(\d+)\./)?.[1];
      if (number !== undefined) numbers.add(number);
    }
    for (const number of numbers)
      for (const [parts, leaf] of layer)
        add(
          `${name}${number}.${leaf}`,
          parts.map((part) => `${prefix}${from}${number}.${part}`),
          false,
        );
  }
  return rules;
}
