import * as z from 'zod';
import { call, colour, label } from './base.ts';

/** A row of the prompts: one class to look for. */
export const prompt = z.object({
  name: z.string().min(1).max(200),
  words: z.array(z.string().min(1).max(1000)).min(1).max(200),
  colour,
  /** Own threshold, 0-1; null: the run's. */
  threshold: z.number().min(0).max(1).nullable(),
});
export type Prompt = z.output<typeof prompt>;

export const preset = z.object({
  name: z.string().min(1).max(200),
  /** `benchmark`: a list of the papers; `own`: saved by the user. */
  origin: z.enum(['benchmark', 'own']),
  prompts: z.array(prompt),
  background: z.string().nullable(),
});
export type Preset = z.output<typeof preset>;

export const prompts = {
  save: call.input(z.object({ prompts: z.array(prompt).max(1000), label })).output(z.void()),
  presets: call.output(z.array(preset)),
  savePreset: call.input(preset.omit({ origin: true })).output(z.void()),
  removePreset: call.input(z.object({ name: z.string() })).output(z.void()),
  /** Words that start like, or mean nearly, what is typed, of the pack's own and common land cover; best first. */
  suggest: call.input(z.object({ text: z.string().max(1000), pack: z.string() })).output(z.array(z.string())),
  /** Words that the pack never learnt, each with the nearest that it knows; empty for packs that know any word. */
  unknown: call
    .input(z.object({ words: z.array(z.string().max(1000)).max(1000), pack: z.string() }))
    .output(z.array(z.object({ word: z.string(), nearest: z.array(z.string()) }))),
};
