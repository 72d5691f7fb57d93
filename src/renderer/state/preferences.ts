import { createStore } from './store.ts';

export type Language = 'en' | 'de';
export type Theme = 'system' | 'light' | 'dark';

const key = 'landscribe.preferences';

function read(): { language: Language; theme: Theme } {
  const usual = {
    language: navigator.language.startsWith('de') ? ('de' as const) : ('en' as const),
    theme: 'system' as const,
  };
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<{
      language: Language;
      theme: Theme;
    }>;
    return {
      language: kept.language === 'de' || kept.language === 'en' ? kept.language : usual.language,
      theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : usual.theme,
    };
  } catch {
    return usual;
  }
}

/** Of this user on this machine, whatever the project. */
export const preferences = createStore(read());
preferences.subscribe(() => {
  try {
    localStorage.setItem(key, JSON.stringify(preferences.get()));
  } catch {
    // Private windows keep nothing.
  }
});
