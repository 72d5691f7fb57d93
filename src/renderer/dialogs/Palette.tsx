import { useState } from 'react';
import { commands } from '../commands/commands.ts';
import { keysText } from '../commands/keys.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { dialogs } from '../state/dialogs.ts';
import { useText } from '../texts/use-text.ts';

/** Finds an action by its name. */
export function Palette() {
  const text = useText();
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const found = commands.filter(({ id, label, menu }) => {
    if (menu === null) return false;
    const name = `${text(`menu.${menu}`)} ${text(label)}`.toLowerCase();
    return id !== 'help.palette' && words.every((word) => name.includes(word));
  });
  const start = (index: number) => {
    const command = found[index];
    if (!command || !(command.enabled?.() ?? true)) return;
    dialogs.set({ palette: false });
    // The dialog gives the focus back first.
    setTimeout(() => void command.run());
  };
  return (
    <Dialog title={text('command.palette')} onClose={() => dialogs.set({ palette: false })}>
      <input
        className="search"
        aria-label={text('palette.search')}
        placeholder={text('palette.search')}
        value={typed}
        role="combobox"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={found[at] ? `palette-${found[at].id}` : undefined}
        onChange={(event) => {
          setTyped(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') setAt(Math.min(found.length - 1, at + 1));
          else if (event.key === 'ArrowUp') setAt(Math.max(0, at - 1));
          else if (event.key === 'Enter') start(at);
          else return;
          event.preventDefault();
        }}
      />
      <ul className="files" role="listbox" id="palette-list" aria-label={text('command.palette')}>
        {found.map((command, index) => {
          const enabled = command.enabled?.() ?? true;
          return (
            <li
              key={command.id}
              id={`palette-${command.id}`}
              role="option"
              aria-selected={index === at}
              aria-disabled={!enabled}
              tabIndex={-1}
              className={`${index === at ? 'selected' : ''}${enabled ? '' : ' off'}`}
              ref={(element) => {
                if (index === at) element?.scrollIntoView({ block: 'nearest' });
              }}
              onClick={() => start(index)}
              onKeyDown={() => {}}
            >
              <span className="grow">
                <span className="quiet">{text(`menu.${command.menu!}`)} › </span>
                {text(command.label)}
              </span>
              {command.keys && <kbd>{keysText(command.keys[0]!)}</kbd>}
            </li>
          );
        })}
      </ul>
    </Dialog>
  );
}
