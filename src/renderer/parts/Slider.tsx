import { useEffect, useRef, useState } from 'react';

/** Milliseconds without a key until a change by keys is one. */
const keysRest = 600;

/** A slider that shows at once and reports when it rests, so that a drag is one change. */
export function Slider({
  label,
  value,
  minimum,
  maximum,
  step,
  format,
  onMove,
  onRest,
}: {
  label: string;
  value: number;
  minimum: number;
  maximum: number;
  step: number;
  format(value: number): string;
  onMove?(value: number): void;
  onRest?(value: number): void;
}) {
  const [shown, setShown] = useState(value);
  useEffect(() => setShown(value), [value]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef({ shown, value, onRest });
  latest.current = { shown, value, onRest };
  const rest = () => {
    clearTimeout(timer.current);
    const now = latest.current;
    if (now.shown !== now.value) now.onRest?.(now.shown);
  };
  return (
    <label className="slider">
      <span>{label}</span>
      <input
        type="range"
        aria-label={label}
        min={minimum}
        max={maximum}
        step={step}
        value={shown}
        onChange={(event) => {
          setShown(Number(event.target.value));
          onMove?.(Number(event.target.value));
        }}
        onPointerUp={rest}
        onKeyUp={() => {
          clearTimeout(timer.current);
          timer.current = setTimeout(rest, keysRest);
        }}
        onBlur={rest}
      />
      <output>{format(shown)}</output>
    </label>
  );
}
