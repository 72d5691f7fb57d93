import { nextColour } from '../../main/rpc/colours.ts';
import type { Prompt } from '../../main/rpc/prompts.ts';
import type { RunSettings } from '../../main/rpc/runs.ts';
import { ask, isAborted, problemOf } from '../connection/client.ts';
import { host } from '../state/project.ts';
import { keptSettings } from '../state/run-settings.ts';
import { session } from '../state/session.ts';
import { runSettings } from './next-run.ts';

/** Milliseconds that a word of an open vocabulary rests before it is read: its sentences take a while. */
const rest = 250;

/** The classes with the word that is being typed. */
function classesNow(): Prompt[] {
  const { draft } = session.get();
  const prompts = host.get().project?.prompts ?? [];
  if (!draft) return [...prompts];
  if (draft.row === null) {
    const colour = nextColour(
      prompts.map((prompt) => prompt.colour),
      draft.words,
    );
    return [...prompts, { name: draft.words[0]!, words: draft.words, colour, threshold: null }];
  }
  return prompts.map((prompt, row) =>
    row === draft.row ? { ...prompt, words: [...new Set([...prompt.words, ...draft.words])] } : prompt,
  );
}

/** All that labels depend on once a view is encoded. */
function question() {
  const settings = runSettings(null);
  return settings && { ...settings, prompts: classesNow() };
}

let asked = '';
let seen: unknown[] = [];
let asking: AbortController | null = null;
let waiting: ReturnType<typeof setTimeout> | null = null;

/** A preview was labelled with these settings: what has changed since is asked now, and what changes from now on. */
export function beginLive(view: string, settings: RunSettings): void {
  asked = JSON.stringify([view, { ...settings, extent: null }]);
  session.set({ live: view });
}

/** Labels the encoded view anew when anything that they depend on has changed; the last change wins. */
function follow(): void {
  const { live, preview, livePreview, draft } = session.get();
  const { project, packs } = host.get();
  // The pointer moves many times a second and is none of these.
  const parts = [live, preview === null, livePreview, draft, project];
  if (parts.every((part, i) => part === seen[i])) return;
  seen = parts;
  if (live === null || preview === null || !livePreview) return;
  const settings = question();
  const key = JSON.stringify([live, settings]);
  if (key === asked) return;
  asked = key;
  asking?.abort();
  if (waiting) clearTimeout(waiting);
  if (!settings || settings.prompts.length === 0) return;
  const open = packs.find(({ name }) => name === settings.pack)?.knownWords.length === 0;
  const own = new AbortController();
  asking = own;
  const relabel = async () => {
    try {
      const { picture, milliseconds } = await ask.runs.relabel(
        { view: live, settings },
        { signal: own.signal },
      );
      // For whoever measures: the host's share of the wait.
      performance.clearMarks('landscribe-relabelled');
      performance.mark('landscribe-relabelled', { detail: { milliseconds } });
      if (asking === own && session.get().preview !== null) session.set({ preview: picture });
    } catch (error) {
      if (isAborted(error) || asking !== own) return;
      // Half a word is known to no pack; a view that is gone is encoded by the next preview.
      if (problemOf(error).code === 'live/none' && session.get().live === live) session.set({ live: null });
    }
  };
  if (open && draft) waiting = setTimeout(() => void relabel(), rest);
  else void relabel();
}

host.subscribe(follow);
session.subscribe(follow);

let heating: AbortController | null = null;
let heatTimer: ReturnType<typeof setTimeout> | null = null;

/** Shows how much the encoded view looks like a word; null: the labels again. */
export function showHeat(word: string | null): void {
  heating?.abort();
  heating = null;
  if (heatTimer) clearTimeout(heatTimer);
  const { live, preview } = session.get();
  if (word === null || live === null || preview === null) {
    if (session.get().heat) session.set({ heat: null });
    return;
  }
  const own = new AbortController();
  heating = own;
  const { templates } = keptSettings(host.get().project?.settings);
  // A pointer that passes by asks nothing.
  heatTimer = setTimeout(() => {
    ask.runs.heat({ view: live, word, templates }, { signal: own.signal }).then(
      ({ picture, low, high }) => {
        if (heating === own) session.set({ heat: { word, picture, low, high } });
      },
      () => {},
    );
  }, 100);
}
