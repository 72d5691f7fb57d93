import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { nextColour } from '../../main/rpc/colours.ts';
import type { Pack } from '../../main/rpc/packs.ts';
import type { Preset, Prompt } from '../../main/rpc/prompts.ts';
import '../commands/examples.ts';
import { showHeat } from '../commands/live.ts';
import { savePrompts, saveRunSettings } from '../commands/next-run.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { ColourInput } from '../parts/ColourInput.tsx';
import { Icon } from '../parts/Icon.tsx';
import { NumberInput } from '../parts/NumberInput.tsx';
import { shortTitle } from '../parts/short-title.ts';
import { TagInput } from '../parts/TagInput.tsx';
import { askUser, dialogs } from '../state/dialogs.ts';
import { host } from '../state/project.ts';
import { keptSettings } from '../state/run-settings.ts';
import { session } from '../state/session.ts';
import { heatColours } from '../symbology/palette.ts';
import { useText } from '../texts/use-text.ts';

const none: readonly Prompt[] = [];

/** A class is called by its first word, an example without its mark. */
const nameOf = (words: readonly string[]) => words[0]!.replace(/^@/, '');

/** The classes to look for: colour, words, threshold. */
export function PromptsPanel() {
  const text = useText();
  const prompts = host.use((value) => value.project?.prompts) ?? none;
  const settings = host.use((value) => value.project?.settings);
  const packs = host.use((value) => value.packs);
  const opened = host.use((value) => value.project !== null);
  const heat = session.use((value) => value.heat);
  const draft = session.use((value) => value.draft);
  const { pack: packName, background, threshold } = keptSettings(settings);
  const pack = packs.find(({ name }) => name === packName);
  const unknown = useUnknownWords(prompts, packName, pack);
  const suggest = useCallback(
    (typed: string) => ask.prompts.suggest({ text: typed, pack: packName }),
    [packName],
  );

  // The field that classes are typed into stays in sight while their rows push it down.
  const newRow = useRef<HTMLLIElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when rows have come or gone
  useEffect(() => {
    const row = newRow.current;
    if (row?.contains(document.activeElement)) row.scrollIntoView({ block: 'nearest' });
  }, [prompts.length]);

  const save = (next: Prompt[], label: string) => void savePrompts(next, label);
  const change = (index: number, part: Partial<Prompt>) =>
    save(
      prompts.map((prompt, i) => (i === index ? { ...prompt, ...part } : prompt)),
      text('step.prompts'),
    );
  const changeWords = (index: number, words: string[]) => {
    const before = prompts[index]!;
    const name = nameOf(words);
    if (before.name === background && name !== background) void saveRunSettings({ background: name });
    const same = prompts.findIndex((prompt, i) => i !== index && prompt.name === name);
    if (same < 0) {
      change(index, { words, name });
      return;
    }
    // Two of one name could not be told apart.
    const joined = { ...prompts[same]!, words: [...new Set([...prompts[same]!.words, ...words])] };
    save(
      prompts.map((prompt, i) => (i === same ? joined : prompt)).filter((_, i) => i !== index),
      text('step.prompts'),
    );
  };
  const add = (words: string[]) => {
    if (words.length === 0) return;
    // A class that is there already takes the words: two of one name could not be told apart.
    const same = prompts.findIndex(({ name }) => name === words[0]);
    if (same >= 0) {
      change(same, { words: [...new Set([...prompts[same]!.words, ...words])] });
      return;
    }
    const used = prompts.map(({ colour }) => colour);
    save(
      [...prompts, { name: words[0]!, words, colour: nextColour(used, words), threshold: null }],
      text('step.addClass', { name: words[0]! }),
    );
  };
  if (!opened)
    return (
      <div className="panel empty">
        <p>{text('prompts.noProject')}</p>
      </div>
    );
  return (
    <div className="panel prompts">
      <div className="panel-tools">
        <PresetMenu
          prompts={prompts}
          background={background}
          onTake={(preset) => {
            save(preset.prompts, text('step.preset', { name: preset.name }));
            void saveRunSettings({ background: preset.background });
          }}
        />
      </div>
      <ol className="classes">
        {prompts.map((prompt, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a class is its place in the list
          <li key={index} className="class-row">
            <ColourInput
              value={prompt.colour}
              label={text('prompts.colour', { name: prompt.name })}
              onRest={(colour) => change(index, { colour })}
            />
            <TagInput
              label={text('prompts.words', { name: prompt.name })}
              words={prompt.words}
              suggest={suggest}
              marked={unknown}
              onChange={(words) => changeWords(index, words)}
              onDraft={(words) => session.set({ draft: words.length > 0 ? { row: index, words } : null })}
              onHover={(word) => showHeat(word?.startsWith('@') ? null : word)}
            />
            <NumberInput
              className="threshold"
              minimum={0}
              maximum={1}
              step={0.05}
              value={prompt.threshold}
              placeholder={threshold.toFixed(2)}
              title={text('prompts.thresholdTip')}
              aria-label={text('prompts.threshold', { name: prompt.name })}
              onRest={(value) => change(index, { threshold: value })}
              onEmpty={() => change(index, { threshold: null })}
            />
            <button
              type="button"
              className="plain"
              aria-label={text('prompts.removeClass', { name: prompt.name })}
              title={text('prompts.removeClass', { name: prompt.name })}
              onClick={() =>
                save(
                  prompts.filter((_, i) => i !== index),
                  text('step.removeClass', { name: prompt.name }),
                )
              }
            >
              <Icon name="close" />
            </button>
          </li>
        ))}
        <li className="class-row new" ref={newRow}>
          <span
            className="swatch"
            style={{
              background: nextColour(
                prompts.map(({ colour }) => colour),
                draft?.row === null ? draft.words : [],
              ),
            }}
          />
          <TagInput
            label={text('prompts.newClass')}
            words={[]}
            suggest={suggest}
            marked={unknown}
            onChange={add}
            onDraft={(words) => session.set({ draft: words.length > 0 ? { row: null, words } : null })}
          />
        </li>
      </ol>
      {heat && (
        <p className="heat" role="status">
          {text('prompts.heat', { word: heat.word })}
          <span className="quiet">{heat.low.toFixed(3)}</span>
          <span
            className="ramp"
            style={{ background: `linear-gradient(to right, ${heatColours.join(', ')})` }}
          />
          <span className="quiet">{heat.high.toFixed(3)}</span>
        </p>
      )}
      {prompts.length === 0 && <p className="quiet hint">{text('prompts.hint')}</p>}
      {unknown.size > 0 && (
        <div className="notice" role="status">
          {[...unknown.values()].map((line) => (
            <p key={line}>{line}</p>
          ))}
          <button type="button" className="link" onClick={() => dialogs.set({ packs: true })}>
            {text('prompts.fullPacks')}
          </button>
        </div>
      )}
      {prompts.length > 0 && (
        <div className="fields">
          <label>
            <span>{text('prompts.background')}</span>
            <select
              value={prompts.some(({ name }) => name === background) ? background! : ''}
              onChange={(event) => void saveRunSettings({ background: event.target.value || null })}
            >
              <option value="">{text('prompts.noBackground')}</option>
              {prompts.map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <label>
            <span>{text('prompts.defaultThreshold')}</span>
            <NumberInput
              minimum={0}
              maximum={1}
              step={0.05}
              value={threshold}
              onRest={(value) => void saveRunSettings({ threshold: value })}
            />
          </label>
        </div>
      )}
    </div>
  );
}

/** Words that the pack never learnt, with a sentence for each. */
function useUnknownWords(
  prompts: readonly Prompt[],
  packName: string,
  pack: Pack | undefined,
): ReadonlyMap<string, string> {
  const text = useText();
  const words = useMemo(() => [...new Set(prompts.flatMap((prompt) => prompt.words))].sort(), [prompts]);
  const key = words.join('\n');
  const [found, setFound] = useState<ReadonlyMap<string, string>>(new Map());
  useEffect(() => {
    let current = true;
    const asked = key === '' ? [] : key.split('\n');
    if (asked.length === 0) setFound(new Map());
    else {
      void ask.prompts.unknown({ words: asked, pack: packName }).then(
        (unknown) => {
          if (!current) return;
          const title = pack ? shortTitle(pack) : packName;
          setFound(
            new Map(
              unknown.map(({ word, nearest }) => [
                word,
                text('prompts.unknown', { pack: title, word, nearest: nearest.slice(0, 3).join(', ') }),
              ]),
            ),
          );
        },
        () => {},
      );
    }
    return () => {
      current = false;
    };
  }, [key, packName, pack, text]);
  return found;
}

function PresetMenu({
  prompts,
  background,
  onTake,
}: {
  prompts: readonly Prompt[];
  background: string | null;
  onTake(preset: Preset): void;
}) {
  const text = useText();
  const [presets, setPresets] = useState<readonly Preset[]>([]);
  const load = () => void attempt(ask.prompts.presets()).then((found) => found && setPresets(found));
  useEffect(load, []);
  const own = presets.filter(({ origin }) => origin === 'own');
  const published = presets.filter(({ origin }) => origin === 'benchmark');
  const keep = async () => {
    const name = prompts
      .map((prompt) => prompt.name)
      .join(', ')
      .slice(0, 60);
    const answer = await askUser({
      title: text('prompts.savePreset'),
      text: text('prompts.savePresetText', { name }),
      choices: [{ id: 'save', label: text('action.save') }],
    });
    if (answer !== 'save') return;
    await attempt(ask.prompts.savePreset({ name, prompts: [...prompts], background }));
    load();
  };
  return (
    <>
      <select
        aria-label={text('prompts.presets')}
        value=""
        onChange={(event) => {
          const preset = presets.find(({ name }) => name === event.target.value);
          if (preset) onTake(preset);
        }}
      >
        <option value="" disabled>
          {text('prompts.presets')}
        </option>
        {own.length > 0 && (
          <optgroup label={text('prompts.ownPresets')}>
            {own.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </optgroup>
        )}
        <optgroup label={text('prompts.benchmarkPresets')}>
          {published.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </optgroup>
      </select>
      <button type="button" disabled={prompts.length === 0} onClick={() => void keep()}>
        {text('prompts.savePreset')}
      </button>
    </>
  );
}
