import { useCallback } from 'react';
import { preferences } from '../state/preferences.ts';
import { fill, languages, type Text } from './catalogue.ts';

/** Texts of a component; it is drawn again when the language changes. */
export function useText(): Text {
  const language = preferences.use((value) => value.language);
  return useCallback<Text>((key, values) => fill(languages[language][key], values), [language]);
}
