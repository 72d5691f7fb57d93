import { useEffect, useState } from 'react';
import { ask } from '../connection/client.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { dialogs } from '../state/dialogs.ts';
import { useText } from '../texts/use-text.ts';

/** Chooses a reference system by code or name. */
export function CrsDialog({ current, choose }: { current: string; choose(crs: string): void }) {
  const text = useText();
  const [typed, setTyped] = useState('');
  const [found, setFound] = useState<readonly { crs: string; name: string }[]>([]);
  const close = () => dialogs.set({ crs: null });
  useEffect(() => {
    let active = true;
    const query = typed.trim() === '' ? current : typed.trim();
    ask.systems.search({ text: query }).then(
      (systems) => active && setFound(systems),
      () => {},
    );
    return () => {
      active = false;
    };
  }, [typed, current]);
  const take = (crs: string) => {
    close();
    choose(crs);
  };
  return (
    <Dialog title={text('crs.title')} onClose={close}>
      <label className="search">
        {text('crs.search')}
        <input
          value={typed}
          placeholder={current}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={(event) => event.key === 'Enter' && found[0] && take(found[0].crs)}
        />
      </label>
      <ul className="files" role="listbox" aria-label={text('crs.title')}>
        {found.map(({ crs, name }) => (
          <li
            key={crs}
            role="option"
            aria-selected={crs === current}
            tabIndex={0}
            onClick={() => take(crs)}
            onKeyDown={(event) => event.key === 'Enter' && take(crs)}
          >
            <span className="grow">{name}</span>
            <span className="quiet">{crs}</span>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
