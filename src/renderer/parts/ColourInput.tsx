import { useEffect, useRef } from 'react';

/** Reports when the choice is made, not with every move in the picker: one choice is one step of undo. */
export function ColourInput({
  value,
  label,
  onRest,
}: {
  value: string;
  label: string;
  onRest(colour: string): void;
}) {
  const input = useRef<HTMLInputElement>(null);
  const rest = useRef(onRest);
  rest.current = onRest;
  useEffect(() => {
    input.current!.value = value;
  }, [value]);
  useEffect(() => {
    const element = input.current!;
    // React's onChange is the page's `input` event; the picker tells its end by `change`.
    const listen = () => rest.current(element.value);
    element.addEventListener('change', listen);
    return () => element.removeEventListener('change', listen);
  }, []);
  return <input ref={input} type="color" defaultValue={value} aria-label={label} />;
}
