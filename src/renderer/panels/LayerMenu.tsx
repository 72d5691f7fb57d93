import { type KeyboardEvent, useEffect, useRef } from 'react';
import { createPortal } from 'react-dom';
import { commandOf } from '../commands/commands.ts';
import { keysText } from '../commands/keys.ts';
import { useText } from '../texts/use-text.ts';

const ofScenes = ['layer.zoom', 'raster.properties', 'layer.remove'] as const;
const ofOthers = ['layer.zoom', 'view.styling', 'layer.table', 'layer.export', 'layer.remove'] as const;

/** What can be done with a layer, where the pointer or the keys are. */
export function LayerMenu({
  node,
  at,
  onRename,
  onClose,
}: {
  /** The layer's place in the tree. */
  node: string;
  at: readonly [x: number, y: number];
  onRename(): void;
  onClose(): void;
}) {
  const text = useText();
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    list.current!.querySelector<HTMLElement>('[role=menuitem]')?.focus();
    const away = (event: PointerEvent) => {
      if (!list.current?.contains(event.target as Node)) onClose();
    };
    window.addEventListener('pointerdown', away);
    return () => {
      window.removeEventListener('pointerdown', away);
      if (!document.activeElement || document.activeElement === document.body) before?.focus();
    };
  }, [onClose]);
  const move = (event: KeyboardEvent) => {
    const items = [...list.current!.querySelectorAll<HTMLElement>('[role=menuitem]')];
    const focused = items.indexOf(document.activeElement as HTMLElement);
    if (event.key === 'ArrowDown') items[(focused + 1) % items.length]!.focus();
    else if (event.key === 'ArrowUp') items[(focused - 1 + items.length) % items.length]!.focus();
    else if (event.key === 'Escape' || event.key === 'Tab') onClose();
    else if (event.key !== 'Enter' && event.key !== ' ') return;
    event.stopPropagation();
    if (event.key !== 'Enter' && event.key !== ' ') event.preventDefault();
  };
  const item = (label: string, keys: string | undefined, run: () => unknown, enabled = true) => (
    <button
      key={label}
      type="button"
      role="menuitem"
      tabIndex={-1}
      aria-disabled={!enabled}
      onClick={() => {
        if (!enabled) return;
        onClose();
        void run();
      }}
    >
      <span className="check" />
      <span className="grow">{label}</span>
      {keys && <kbd>{keysText(keys)}</kbd>}
    </button>
  );
  // Docks cut off what leaves them.
  return createPortal(
    <div
      ref={list}
      role="menu"
      aria-label={text('layers.menu')}
      className="menu at-pointer"
      style={{ left: `min(${at[0]}px, 100vw - 270px)`, top: `min(${at[1]}px, 100vh - 190px)` }}
      tabIndex={-1}
      onKeyDown={move}
    >
      {item(text('layers.renameIt'), 'F2', onRename)}
      {(node.startsWith('scene:') ? ofScenes : ofOthers).map((id) => {
        const command = commandOf(id);
        return item(text(command.label), command.keys?.[0], () => command.run(), command.enabled?.() ?? true);
      })}
    </div>,
    document.body,
  );
}
