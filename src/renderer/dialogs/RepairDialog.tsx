import { chooseFiles } from '../commands/choose-files.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { dialogs } from '../state/dialogs.ts';
import { host } from '../state/project.ts';
import { useText } from '../texts/use-text.ts';

/** Files of the project that are not where it says. */
export function RepairDialog() {
  const text = useText();
  const missing = host.use((value) => value.project?.missing) ?? [];
  const close = () => dialogs.set({ repair: false });
  return (
    <Dialog title={text('repair.title')} onClose={close} wide>
      <p>{text(missing.length > 0 ? 'repair.about' : 'repair.done')}</p>
      <ul className="packs">
        {missing.map(({ kind, id, name, path, found }) => (
          <li key={`${kind}:${id}`}>
            <div className="job-line">
              <b>{name}</b>
              <span className="quiet grow">{path}</span>
              {found && (
                <button
                  type="button"
                  className="main"
                  onClick={() => void attempt(ask.project.relink({ kind, id, path: found }))}
                >
                  {text('repair.take', { path: found })}
                </button>
              )}
              <button
                type="button"
                onClick={async () => {
                  const [file] = (await chooseFiles('relink', path)) ?? [];
                  if (file) await attempt(ask.project.relink({ kind, id, path: file }));
                }}
              >
                {text('repair.choose')}
              </button>
            </div>
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
