import { createStore } from './store.ts';

export type Language = 'en' | 'de';
export type Theme = 'system' | 'light' | 'dark';

const key = 'landscribe.preferences';

interface Preferences {
  language: Language;
  theme: Theme;
  /** What an encoded scene may take on the disk. */
  featureGigabytes: number;
}

function read(): Preferences {
  const usual = {
    language: navigator.language.startsWith('de') ? ('de' as const) : ('en' as const),
    theme: 'system' as const,
    featureGigabytes: 20,
  };
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Preferences>;
    return {
      language: kept.language === 'de' || kept.language === 'en' ? kept.language : usual.language,
      theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : usual.theme,
      featureGigabytes:
        typeof kept.featureGigabytes === 'number' && kept.featureGigabytes > 0
          ? kept.featureGigabytes
          : usual.featureGigabytes,
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
