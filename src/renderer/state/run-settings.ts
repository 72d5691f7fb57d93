import type { RunSettings } from '../../main/rpc/runs.ts';

/** What a project keeps of a run's settings; the classes and the extent are kept apart. */
export type KeptSettings = Omit<RunSettings, 'prompts' | 'extent'>;

/** The papers' values. */
export const usualSettings: KeptSettings = {
  pack: 'starter',
  background: null,
  threshold: 0,
  resolution: null,
  bands: null,
  provider: 'cpu',
  threads: null,
  minArea: 0,
  simplify: 0,
  window: 224,
  stride: 112,
  attention: null,
  lastLayers: null,
  lambda: -0.3,
  upsampler: null,
  templates: 'imagenet',
  mode: 'reference',
  examples: {},
  radar: null,
};

/** Key of the project's settings. */
export const runKey = 'run';

/** The project's settings over the usual ones; names that are no settings are left out. */
export function keptSettings(settings: Readonly<Record<string, unknown>> | undefined): KeptSettings {
  const kept = settings?.[runKey];
  if (kept === null || typeof kept !== 'object') return usualSettings;
  const known = Object.entries(kept).filter(([name]) => name in usualSettings);
  return { ...usualSettings, ...Object.fromEntries(known) };
}
