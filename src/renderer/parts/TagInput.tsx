import { useEffect, useId, useState } from 'react';
import { useText } from '../texts/use-text.ts';

/** Words as tags: Enter or a comma ends a word, Backspace in the empty field takes the last one back. */
export function TagInput({
  label,
  words,
  onChange,
  onDraft,
  onHover,
  suggest,
  marked,
}: {
  label: string;
  words: readonly string[];
  onChange(words: string[]): void;
  /** Told of the words in the field before they count; empty when there are none. */
  onDraft?(words: string[]): void;
  /** Told of the word under the pointer, null when it leaves. */
  onHover?(word: string | null): void;
  suggest(text: string): Promise<readonly string[]>;
  /** Words to be pointed out, with the reason. */
  marked: ReadonlyMap<string, string>;
}) {
  const [draft, setDraft] = useState('');
  const [offers, setOffers] = useState<readonly string[]>([]);
  const list = useId();
  const text = useText();

  useEffect(() => {
    let current = true;
    if (draft.trim().length === 0) setOffers([]);
    else {
      void suggest(draft.trim()).then(
        (found) => current && setOffers(found.filter((word) => !words.includes(word)).slice(0, 8)),
        () => {},
      );
    }
    return () => {
      current = false;
    };
  }, [draft, suggest, words]);

  const wordsOf = (entry: string) =>
    entry
      .split(/[,;]/)
      .map((word) => word.trim())
      .filter((word) => word !== '' && !words.includes(word));
  const add = (entry: string) => {
    const added = wordsOf(entry);
    if (added.length > 0) onChange([...words, ...new Set(added)]);
    setDraft('');
    onDraft?.([]);
  };

  return (
    <div className="tags">
      {words.map((word) => (
        <span
          key={word}
          className={`tag${marked.has(word) ? ' marked' : ''}`}
          title={marked.get(word)}
          onMouseEnter={() => onHover?.(word)}
          onMouseLeave={() => onHover?.(null)}
        >
          {word}
          {words.length > 1 && (
            <button
              type="button"
              aria-label={text('prompts.removeWord', { word })}
              onClick={() => onChange(words.filter((other) => other !== word))}
            >
              ×
            </button>
          )}
        </span>
      ))}
      <input
        aria-label={label}
        list={list}
        value={draft}
        placeholder={words.length === 0 ? text('prompts.firstWord') : text('prompts.synonym')}
        onChange={(event) => {
          const { value } = event.target;
          // A suggestion that is typed may be the beginning of another word: “water” of “water body”.
          const how = (event.nativeEvent as Partial<InputEvent>).inputType;
          const chosen = (how === undefined || how === 'insertReplacementText') && offers.includes(value);
          if (/[,;]/.test(value) || chosen) add(value);
          else {
            setDraft(value);
            onDraft?.(wordsOf(value));
          }
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') {
            event.preventDefault();
            add(draft);
          } else if (event.key === 'Backspace' && draft === '' && words.length > 1)
            onChange(words.slice(0, -1));
        }}
        onBlur={() => add(draft)}
      />
      <datalist id={list}>
        {offers.map((word) => (
          <option key={word} value={word} />
        ))}
      </datalist>
    </div>
  );
}
