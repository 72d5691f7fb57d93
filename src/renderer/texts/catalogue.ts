import { preferences } from '../state/preferences.ts';
import { german } from './de.ts';
import { english } from './en.ts';

export type TextKey = keyof typeof english;
export type Text = (key: TextKey, values?: Readonly<Record<string, string | number>>) => string;

/** Every language has every text: what is missing does not compile. */
export const languages = { en: english, de: german } satisfies Record<string, Record<TextKey, string>>;

/** The text in the language chosen, with `{name}` replaced by the values. */
export const textNow: Text = (key, values) => fill(languages[preferences.get().language][key], values);

export function fill(text: string, values: Readonly<Record<string, string | number>> = {}): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
