import { readBenchmarkSets } from '../../../worker/benchmark/sets.ts';
import { plainWords } from '../../../worker/classmap/class-words.ts';
import { classColours } from '../../../worker/classmap/palette.ts';
import { nearestWords, unknownWords } from '../../../worker/pack/known-words.ts';
import { Problem } from '../../../worker/report/problem.ts';
import type { Preset } from '../../rpc/prompts.ts';
import type { Desktop } from '../desktop.ts';
import { landCoverWords } from '../land-cover-words.ts';
import { packFacts } from '../pack-facts.ts';
import { calls } from './base.ts';

const mostSuggestions = 12;

export function promptCalls(desktop: Desktop) {
  return {
    save: calls.prompts.save.handler(({ input }) => {
      desktop.store.savePrompts(input.prompts, input.label);
      desktop.changed();
    }),
    presets: calls.prompts.presets.handler(async () => {
      const own = await desktop.presets.read();
      return [...own.map((preset): Preset => ({ ...preset, origin: 'own' })), ...(await benchmarkPresets())];
    }),
    savePreset: calls.prompts.savePreset.handler(async ({ input }) => {
      if ((await benchmarkPresets()).some(({ name }) => name === input.name))
        throw new Problem(
          'preset/exists',
          `${input.name} is a list of the papers.`,
          'Save yours under another name.',
        );
      await desktop.presets.change((list) => [...list.filter(({ name }) => name !== input.name), input]);
    }),
    removePreset: calls.prompts.removePreset.handler(({ input }) =>
      desktop.presets.change((list) => list.filter(({ name }) => name !== input.name)),
    ),
    suggest: calls.prompts.suggest.handler(async ({ input }) => {
      const { knownWords } = await packFacts(input.pack, desktop.home);
      return suggest(input.text, knownWords ?? landCoverWords);
    }),
    unknown: calls.prompts.unknown.handler(async ({ input }) => {
      const { knownWords } = await packFacts(input.pack, desktop.home);
      if (knownWords === null) return [];
      return unknownWords(knownWords, plainWords(input.words)).map((word) => ({
        word,
        nearest: nearestWords(knownWords, word),
      }));
    }),
  };
}

/** Words that start like `text`, then words with a later part that does, then near ones, then those of one meaning. */
export function suggest(text: string, groups: readonly (readonly string[])[]): string[] {
  const asked = text.trim().toLowerCase();
  const all = [...new Set(groups.flat())];
  if (asked === '') return groups.map(([first]) => first!).slice(0, mostSuggestions);
  const starts = all.filter((word) => word.toLowerCase().startsWith(asked));
  const later = all.filter((word) => word.toLowerCase().includes(` ${asked}`));
  const near = asked.length > 2 ? nearestWords(groups, asked) : [];
  const kin = groups
    .filter((group) => group.some((word) => word.toLowerCase() === asked))
    .flat()
    .filter((word) => word.toLowerCase() !== asked);
  return [...new Set([...starts, ...kin, ...later, ...near])].slice(0, mostSuggestions);
}

let benchmark: Promise<Preset[]> | null = null;

/** The class lists of the papers' test sets. */
function benchmarkPresets(): Promise<Preset[]> {
  benchmark ??= readBenchmarkSets().then((sets) =>
    sets.map(({ name, classes, background }): Preset => {
      const colours = classColours(classes);
      return {
        name,
        origin: 'benchmark',
        prompts: classes.map((words, i) => ({
          name: words[0]!,
          words: [...words],
          colour: colours[i]!,
          threshold: null,
        })),
        background: background === null ? null : (classes[background]?.[0] ?? null),
      };
    }),
  );
  return benchmark;
}
