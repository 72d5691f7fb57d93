import { type ReactNode, useEffect, useId, useRef } from 'react';
import { useText } from '../texts/use-text.ts';
import { Icon } from './Icon.tsx';

/** Where keys begin: what is to be typed, else the answer that takes nothing away; the cross closes by Escape anyway. */
function firstControl(dialog: HTMLElement): HTMLElement | null {
  const find = (selector: string) => dialog.querySelector<HTMLElement>(selector);
  return (
    find('[data-first]') ??
    find('.dialog-body :is(input:not([type=checkbox], [type=radio]), select):enabled') ??
    find('footer button.main:enabled') ??
    find('footer button:enabled')
  );
}

/** A window that waits for an answer; Escape and the cross dismiss it, and the focus goes back where it was. */
export function Dialog({
  title,
  onClose,
  children,
  actions,
  wide = false,
}: {
  title: string;
  onClose(): void;
  children: ReactNode;
  /** Buttons at the foot, the main one last. */
  actions?: ReactNode;
  wide?: boolean;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const text = useText();
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current!.showModal();
    const first = firstControl(dialog.current!);
    first?.focus();
    if (first instanceof HTMLInputElement) first.select();
    return () => before?.focus?.();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={`dialog${wide ? ' wide' : ''}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header>
        <h2 id={heading}>{title}</h2>
        <button type="button" className="plain" aria-label={text('action.close')} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div className="dialog-body">{children}</div>
      {actions && <footer>{actions}</footer>}
    </dialog>
  );
}
