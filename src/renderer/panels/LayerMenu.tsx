import { type KeyboardEvent, useEffect, useRef } from 'react';
import { createPortal } from 'react-dom';
import { commandOf } from '../commands/commands.ts';
import { MenuItem, stepWithin } from '../parts/Menu.tsx';
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
    // The button that has the focus takes these; the tree below must not.
    const chooses = event.key === 'Enter' || event.key === ' ';
    if (event.key === 'Escape' || event.key === 'Tab') onClose();
    else if (!chooses && !stepWithin(list.current!, event)) return;
    event.stopPropagation();
    if (!chooses) event.preventDefault();
  };
  const start = (run: () => unknown) => {
    onClose();
    void run();
  };
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
      <MenuItem keys="F2" onChoose={() => start(onRename)}>
        {text('layers.renameIt')}
      </MenuItem>
      {(node.startsWith('scene:') ? ofScenes : ofOthers).map((id) => {
        const { label, keys, enabled, run } = commandOf(id);
        return (
          <MenuItem key={id} keys={keys?.[0]} enabled={enabled?.() ?? true} onChoose={() => start(run)}>
            {text(label)}
          </MenuItem>
        );
      })}
    </div>,
    document.body,
  );
}
