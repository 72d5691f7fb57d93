import { nextColour } from '../../main/rpc/colours.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { layout } from '../state/layout.ts';
import { host } from '../state/project.ts';
import { keptSettings } from '../state/run-settings.ts';
import { session } from '../state/session.ts';
import { textNow } from '../texts/catalogue.ts';
import { runSettings, savePrompts, saveRunSettings } from './next-run.ts';

/** Makes a class of the point that the map was asked for, or adds it to the example before. */
async function learn(): Promise<void> {
  const { exampleWanted: wanted, example: before, live } = session.get();
  const { project } = host.get();
  if (!wanted || !project) return;
  session.set({ exampleWanted: null });
  const settings = runSettings(null);
  if (live === null || !settings) return;
  const { examples } = keptSettings(project.settings);
  const joined = wanted.join && before?.crs === wanted.crs && before.name in examples ? before : null;
  const points = [...(joined?.points ?? []), wanted.point] as [number, number][];
  const found = await attempt(ask.runs.example({ view: live, crs: wanted.crs, points, settings }));
  if (!found) return;
  const name = joined?.name ?? newName(Object.keys(examples));
  session.set({ example: { name, crs: wanted.crs, points } });
  await saveRunSettings({ examples: { ...examples, [name]: found } });
  const word = `@${name}`;
  const prompts = host.get().project?.prompts ?? [];
  if (prompts.some(({ words }) => words.includes(word))) return;
  const colour = nextColour(
    prompts.map((prompt) => prompt.colour),
    [name],
  );
  await savePrompts(
    [...prompts, { name, words: [word], colour, threshold: null }],
    textNow('step.addClass', { name }),
  );
  layout.show('prompts');
}

function newName(taken: readonly string[]): string {
  for (let number = 1; ; number++) {
    const name = textNow('example.name', { number: String(number) });
    if (!taken.includes(name)) return name;
  }
}

session.subscribe(() => {
  if (session.get().exampleWanted) void learn();
});
