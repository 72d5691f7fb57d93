import { useEffect, useRef, useState } from 'react';

/** Milliseconds without a change until what stands there counts. */
const rest = 900;

/** A number that is reported once it has been typed: on Enter, when the field is left, or after a while. */
export function NumberInput({
  value,
  minimum = Number.NEGATIVE_INFINITY,
  maximum = Number.POSITIVE_INFINITY,
  onRest,
  onEmpty,
  ...attributes
}: {
  /** Null: the field is empty. */
  value: number | null;
  minimum?: number;
  maximum?: number;
  onRest(value: number): void;
  /** The field was emptied; without it the value comes back. */
  onEmpty?(): void;
  step?: number;
  placeholder?: string;
  title?: string;
  className?: string;
  'aria-label'?: string;
}) {
  const [typed, setTyped] = useState<string | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const report = (text: string | null) => {
    clearTimeout(timer.current);
    if (text === null) return;
    if (text.trim() === '') {
      if (value !== null) onEmpty?.();
      return;
    }
    const number = Math.max(minimum, Math.min(maximum, Number(text)));
    if (Number.isFinite(number) && number !== value) onRest(number);
  };
  const latest = useRef(report);
  latest.current = report;
  return (
    <input
      {...attributes}
      type="number"
      min={Number.isFinite(minimum) ? minimum : undefined}
      max={Number.isFinite(maximum) ? maximum : undefined}
      value={typed ?? value ?? ''}
      onChange={(event) => {
        const text = event.target.value;
        setTyped(text);
        clearTimeout(timer.current);
        // A field that is being emptied is about to be filled.
        if (text !== '') timer.current = setTimeout(() => latest.current(text), rest);
      }}
      onKeyDown={(event) => event.key === 'Enter' && report(typed)}
      onBlur={() => {
        report(typed);
        setTyped(null);
      }}
    />
  );
}
