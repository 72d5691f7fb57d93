import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import type { Box } from '../../main/rpc/base.ts';
import { type Command, commands, type MenuName } from '../commands/commands.ts';
import { keysText } from '../commands/keys.ts';
import { openRecent } from '../commands/recent.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { mapActions } from '../map/index.ts';
import { MenuItem, stepWithin } from '../parts/Menu.tsx';
import { dialogs } from '../state/dialogs.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';

const menus: readonly MenuName[] = [
  'project',
  'edit',
  'view',
  'layer',
  'raster',
  'vector',
  'processing',
  'help',
];
type Recent = Awaited<ReturnType<typeof ask.project.recent>>;

/** Menus with every command and its keys; arrows move, as in any desktop program. */
export function MenuBar() {
  const text = useText();
  const [open, setOpen] = useState<MenuName | null>(null);
  const bar = useRef<HTMLDivElement>(null);
  const project = host.use((value) => value.project);
  const state = project
    ? `${project.untitled ? text('title.untitled') : project.name}${project.access === 'read' ? ` ${text('title.readOnly')}` : ''}`
    : text('title.none');

  useEffect(() => {
    document.title = `${state} – Landscribe`;
  }, [state]);
  useEffect(() => {
    const away = (event: PointerEvent) => {
      if (!bar.current?.contains(event.target as Node)) setOpen(null);
    };
    window.addEventListener('pointerdown', away);
    return () => window.removeEventListener('pointerdown', away);
  }, []);
  useEffect(() => {
    if (open === null) return;
    // Wherever the keys are meanwhile.
    const close = (event: globalThis.KeyboardEvent) => {
      if (event.key !== 'Escape') return;
      event.preventDefault();
      event.stopPropagation();
      setOpen(null);
      bar.current?.querySelector<HTMLElement>(`[data-menu=${open}]`)?.focus();
    };
    window.addEventListener('keydown', close, true);
    return () => window.removeEventListener('keydown', close, true);
  }, [open]);

  const step = (from: MenuName, by: number) => {
    const next = menus[(menus.indexOf(from) + by + menus.length) % menus.length]!;
    if (open !== null) setOpen(next);
    bar.current?.querySelector<HTMLElement>(`[data-menu=${next}]`)?.focus();
  };

  return (
    <div className="menu-bar" ref={bar}>
      <div role="menubar" aria-label={text('menu.label')} className="menus">
        {menus.map((menu, index) => (
          <div key={menu} className="menu-holder">
            <button
              type="button"
              role="menuitem"
              aria-haspopup="menu"
              aria-expanded={open === menu}
              data-menu={menu}
              tabIndex={index === 0 ? 0 : -1}
              onClick={() => setOpen(open === menu ? null : menu)}
              onPointerEnter={() => open !== null && setOpen(menu)}
              onKeyDown={(event) => {
                if (event.key === 'ArrowRight') step(menu, 1);
                else if (event.key === 'ArrowLeft') step(menu, -1);
                else if (event.key === 'ArrowDown') setOpen(menu);
                else return;
                event.preventDefault();
              }}
            >
              {text(`menu.${menu}`)}
            </button>
            {open === menu && (
              <Menu menu={menu} onClose={() => setOpen(null)} onStep={(by) => step(menu, by)} />
            )}
          </div>
        ))}
      </div>
      <span className="title">
        {text('title.program')} · {state}
        {project?.untitled ? ' *' : ''}
      </span>
      <button type="button" className="palette-button" onClick={() => dialogs.set({ palette: true })}>
        {text('command.palette')} <kbd>{keysText('Ctrl+K')}</kbd>
      </button>
    </div>
  );
}

function Menu({ menu, onClose, onStep }: { menu: MenuName; onClose(): void; onStep(by: number): void }) {
  const text = useText();
  const list = useRef<HTMLDivElement>(null);
  const [recent, setRecent] = useState<Recent>([]);
  const bookmarks = host.use((value) => value.project?.views) ?? [];
  // Some commands want a selection, which may come while the menu is open.
  session.use(({ selection }) => selection);
  useEffect(() => {
    const first = list.current?.querySelector<HTMLElement>('[role^=menuitem]:not([aria-disabled=true])');
    (first ?? list.current)?.focus();
    if (menu === 'project')
      void attempt(ask.project.recent()).then((found) => found && setRecent(found.slice(0, 8)));
  }, [menu]);
  const move = (event: KeyboardEvent) => {
    if (event.key === 'ArrowRight') onStep(1);
    else if (event.key === 'ArrowLeft') onStep(-1);
    else if (!stepWithin(list.current!, event)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const start = (run: () => unknown) => {
    onClose();
    void run();
  };
  return (
    <div
      role="menu"
      aria-label={text(`menu.${menu}`)}
      className="menu"
      ref={list}
      onKeyDown={move}
      tabIndex={-1}
    >
      {commands
        .filter((command) => command.menu === menu)
        .map((command) => (
          <Item key={command.id} command={command} onStart={start} />
        ))}
      {menu === 'project' && recent.length > 0 && (
        <>
          <hr />
          <p className="quiet">{text('menu.recent')}</p>
          {recent.map(({ path, name, exists }) => (
            <MenuItem key={path} title={path} enabled={exists} onChoose={() => start(() => openRecent(path))}>
              {name}
            </MenuItem>
          ))}
        </>
      )}
      {menu === 'view' && bookmarks.some(({ kind }) => kind === 'bookmark') && (
        <>
          <hr />
          <p className="quiet">{text('menu.bookmarks')}</p>
          {bookmarks
            .filter(({ kind }) => kind === 'bookmark')
            .map(({ id, name, state }) => (
              <MenuItem
                key={id}
                onChoose={() =>
                  start(() => mapActions.zoomToBoxOf(state.box as Box, String(state.crs ?? '')))
                }
              >
                {name}
              </MenuItem>
            ))}
        </>
      )}
    </div>
  );
}

function Item({ command, onStart }: { command: Command; onStart(run: () => unknown): void }) {
  const text = useText();
  return (
    <>
      {command.separated && <hr />}
      <MenuItem
        keys={command.keys?.[0]}
        enabled={command.enabled?.() ?? true}
        checked={command.checked?.()}
        onChoose={() => onStart(command.run)}
      >
        {text(command.label)}
        {command.about?.() && <span className="quiet"> {command.about()}</span>}
      </MenuItem>
    </>
  );
}
