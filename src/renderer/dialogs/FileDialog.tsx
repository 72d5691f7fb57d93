import { useEffect, useState } from 'react';
import type { Entry } from '../../main/rpc/places.ts';
import { fileTitles } from '../commands/choose-files.ts';
import { attempt } from '../connection/attempt.ts';
import { ask, problemOf } from '../connection/client.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { bytesText } from '../parts/duration.ts';
import type { FileQuestion } from '../state/dialogs.ts';
import { useText } from '../texts/use-text.ts';

const lastKey = 'landscribe.folder';

/** Files of the host's machine, for the browser door. */
export function FileDialog({ question }: { question: FileQuestion }) {
  const text = useText();
  const several = question.kind === 'open-scenes' || question.kind === 'open-bands';
  const saving = ['new-project', 'save-project', 'export'].includes(question.kind);
  const [folder, setFolder] = useState<string | null>(
    () => folderOf(question.suggested) ?? localStorage.getItem(lastKey),
  );
  const [typed, setTyped] = useState(false);
  /** A path that is being typed. */
  const [path, setPath] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [parent, setParent] = useState<string | null>(null);
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [name, setName] = useState(
    () => nameOf(question.suggested) ?? (question.kind === 'new-project' ? 'project.gpkg' : ''),
  );

  useEffect(() => {
    let current = true;
    ask.places.list({ folder }).then(
      (found) => {
        if (!current) return;
        setEntries(found.entries);
        setParent(found.parent);
        // The same folder told again takes nothing away that was chosen meanwhile.
        const there = new Set(found.entries.map((entry) => entry.path));
        setChosen((before) => new Set([...before].filter((file) => there.has(file))));
        if (found.folder) localStorage.setItem(lastKey, found.folder);
      },
      (error) => {
        if (!current || folder === null) return;
        // The folder of last time may be gone; one that was typed is told about.
        if (typed) setProblem(problemOf(error).message);
        setFolder(null);
      },
    );
    return () => {
      current = false;
    };
  }, [folder, typed]);

  const wanted = (entry: Entry) =>
    entry.kind === 'folder' ||
    (several && entry.kind === 'scene') ||
    (question.kind.endsWith('project') && entry.kind === 'project') ||
    question.kind === 'relink' ||
    question.kind === 'export';
  const shown = entries.filter(wanted);
  const finish = () => {
    if (question.kind === 'folder') question.answer(folder ? [folder] : null);
    else if (saving) {
      const clean = name.trim();
      if (clean === '' || folder === null) return;
      const full = question.kind === 'export' || /\.gpkg$/i.test(clean) ? clean : `${clean}.gpkg`;
      question.answer([`${folder.replace(/[/\\]$/, '')}/${full}`]);
    } else if (chosen.size > 0) question.answer([...chosen]);
  };
  const openEntry = (entry: Entry) => {
    if (entry.kind === 'folder') {
      setFolder(entry.path);
      setPath(null);
    } else if (saving) setName(entry.name);
    else question.answer([entry.path]);
  };
  const ready =
    question.kind === 'folder'
      ? folder !== null
      : saving
        ? name.trim() !== '' && folder !== null
        : chosen.size > 0;

  return (
    <Dialog
      title={text(fileTitles[question.kind])}
      onClose={() => question.answer(null)}
      wide
      actions={
        <>
          <button type="button" onClick={() => question.answer(null)}>
            {text('action.cancel')}
          </button>
          <button type="button" className="main" disabled={!ready} onClick={finish}>
            {text(saving ? 'action.save' : 'action.open')}
          </button>
        </>
      }
    >
      <div className="file-bar">
        <button
          type="button"
          disabled={folder === null}
          onClick={() => {
            setFolder(parent);
            setPath(null);
          }}
        >
          ↑ {text('file.up')}
        </button>
        <input
          aria-label={text('file.path')}
          value={path ?? folder ?? ''}
          placeholder={text('file.places')}
          onChange={(event) => setPath(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            setProblem(null);
            setTyped(true);
            setFolder(event.currentTarget.value.trim() || null);
            setPath(null);
          }}
        />
      </div>
      {problem && (
        <p role="alert" className="warn">
          {problem}
        </p>
      )}
      <ul className="files" role="listbox" aria-multiselectable={several} aria-label={text('file.list')}>
        {shown.length === 0 && <li className="quiet">{text('file.nothing')}</li>}
        {shown.map((entry) => (
          <li
            key={entry.path}
            role="option"
            aria-selected={chosen.has(entry.path)}
            aria-label={entry.name}
            tabIndex={0}
            className={chosen.has(entry.path) ? 'selected' : ''}
            onClick={(event) => {
              if (entry.kind === 'folder') return;
              if (saving) setName(entry.name);
              else
                setChosen((before) => {
                  const next = new Set(several && (event.ctrlKey || event.metaKey) ? before : []);
                  next.add(entry.path);
                  return next;
                });
            }}
            onDoubleClick={() => openEntry(entry)}
            onKeyDown={(event) => event.key === 'Enter' && openEntry(entry)}
          >
            <span className={`file-kind ${entry.kind}`} aria-hidden="true">
              {entry.kind === 'folder'
                ? '▸'
                : entry.kind === 'scene'
                  ? '▦'
                  : entry.kind === 'project'
                    ? '◆'
                    : '·'}
            </span>
            <span className="grow">{entry.name}</span>
            {entry.bytes !== null && <span className="quiet">{bytesText(entry.bytes)}</span>}
            {entry.modified && <time className="quiet">{entry.modified.slice(0, 16).replace('T', ' ')}</time>}
          </li>
        ))}
      </ul>
      {saving && (
        <div className="file-bar">
          <label className="grow">
            {text('file.name')}
            <input
              data-first
              value={name}
              onChange={(event) => setName(event.target.value)}
              onKeyDown={(event) => event.key === 'Enter' && finish()}
            />
          </label>
          <button
            type="button"
            disabled={folder === null}
            onClick={async () => {
              const made = await attempt(
                ask.places.makeFolder({ folder: folder!, name: text('file.newFolderName') }),
              );
              if (made) setFolder(made.path);
            }}
          >
            {text('file.newFolder')}
          </button>
        </div>
      )}
    </Dialog>
  );
}

function folderOf(file: string | null): string | null {
  const at = file ? Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) : -1;
  return at > 0 ? file!.slice(0, at) : null;
}

function nameOf(file: string | null): string | null {
  return file?.split(/[/\\]/).at(-1) ?? null;
}
