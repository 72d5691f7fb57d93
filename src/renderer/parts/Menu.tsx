import type { KeyboardEvent, ReactNode } from 'react';
import { keysText } from '../commands/keys.ts';

/** One line of a menu; `checked` makes it one that is on or off. */
export function MenuItem({
  children,
  keys,
  title,
  enabled = true,
  checked,
  onChoose,
}: {
  children: ReactNode;
  keys?: string | undefined;
  title?: string;
  enabled?: boolean;
  checked?: boolean | undefined;
  onChoose(): void;
}) {
  return (
    <button
      type="button"
      role={checked === undefined ? 'menuitem' : 'menuitemcheckbox'}
      {...(checked !== undefined && { 'aria-checked': checked })}
      aria-disabled={!enabled}
      tabIndex={-1}
      title={title}
      onClick={() => enabled && onChoose()}
    >
      <span className="check">{checked ? '✓' : ''}</span>
      <span className="grow">{children}</span>
      {keys && <kbd>{keysText(keys)}</kbd>}
    </button>
  );
}

/** Moves the focus between a menu's lines with the arrows; whether the key was one of them. */
export function stepWithin(menu: HTMLElement, { key }: KeyboardEvent): boolean {
  if (key !== 'ArrowDown' && key !== 'ArrowUp') return false;
  const items = [...menu.querySelectorAll<HTMLElement>('[role^=menuitem]')];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const next = key === 'ArrowDown' ? at + 1 : at < 0 ? -1 : at - 1;
  items.at(next % items.length)?.focus();
  return true;
}
