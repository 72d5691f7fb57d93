import { useEffect, useRef } from 'react';
import { openScenes, runCommand } from '../commands/commands.ts';
import { listenToKeys } from '../commands/keys.ts';
import { openRecent } from '../commands/recent.ts';
import { attempt } from '../connection/attempt.ts';
import { ask, bridge } from '../connection/client.ts';
import { Dialogs } from '../dialogs/Dialogs.tsx';
import { jobTitle } from '../parts/job-title.ts';
import { askUser, dialogs } from '../state/dialogs.ts';
import { preferences } from '../state/preferences.ts';
import { host } from '../state/project.ts';
import { textNow } from '../texts/catalogue.ts';
import { Docks } from './docks.tsx';
import { MenuBar } from './MenuBar.tsx';
import { StatusBar } from './StatusBar.tsx';
import { ToolBar } from './ToolBar.tsx';
import './theme.css';

/** The whole window. */
export function Screen() {
  const language = preferences.use((value) => value.language);
  const theme = preferences.use((value) => value.theme);
  useEffect(listenToKeys, []);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  useEffect(() => {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const apply = () => {
      document.documentElement.dataset.theme =
        theme === 'system' ? (system.matches ? 'dark' : 'light') : theme;
    };
    apply();
    system.addEventListener('change', apply);
    return () => system.removeEventListener('change', apply);
  }, [theme]);
  useEffect(() => {
    bridge?.onCommand(runCommand);
    bridge?.onOpen((path) => void (/\.gpkg$/i.test(path) ? openRecent(path) : openScenes([path])));
  }, []);
  useOpeningQuestions();

  return (
    <div
      className="screen"
      onDragOver={(event) => event.dataTransfer.types.includes('Files') && event.preventDefault()}
      onDrop={(event) => {
        const files = [...event.dataTransfer.files];
        if (files.length === 0) return;
        event.preventDefault();
        void dropped(files);
      }}
    >
      <MenuBar />
      <ToolBar />
      <Docks />
      <StatusBar />
      <Dialogs />
    </div>
  );
}

/** A browser hides where a dropped file lies, and a scene of gigabytes is not sent through it. */
async function dropped(files: readonly File[]): Promise<void> {
  if (!bridge) {
    const answer = await askUser({
      title: textNow('drop.title'),
      text: textNow('drop.text'),
      choices: [{ id: 'open', label: textNow('command.openScene') }],
    });
    if (answer === 'open') runCommand('layer.addScene');
    return;
  }
  const paths = files.map((file) => bridge!.pathOf(file));
  const project = paths.find((path) => /\.gpkg$/i.test(path));
  if (project) await openRecent(project);
  else await openScenes(paths);
}

async function tellReadOnly(name: string, reason: string): Promise<void> {
  const answer = await askUser({
    title: textNow('readOnly.title', { name }),
    text: `${reason}\n\n${textNow('readOnly.text')}`,
    choices: [{ id: 'save', label: textNow('command.saveAs') }],
    dismiss: textNow('readOnly.look'),
  });
  if (answer === 'save') runCommand('project.saveAs');
}

/** Asked once for each project that opens: what an earlier program left in the middle, and what is missing. */
function useOpeningQuestions(): void {
  const path = host.use((value) => value.project?.path ?? null);
  const asked = useRef<string | null>(null);
  useEffect(() => {
    if (path === null || asked.current === path) return;
    asked.current = path;
    const { project, jobs } = host.get();
    for (const note of project!.notes)
      host.set(({ log }) => ({
        log: [...log, { level: 'info', text: note, time: new Date().toISOString() }],
      }));
    if (project!.access === 'read') void tellReadOnly(project!.name, project!.notes.at(-1) ?? '');
    if (project!.missing.length > 0) dialogs.set({ repair: true });
    const left = jobs.filter(({ state, resumable }) => state === 'interrupted' && resumable);
    if (left.length === 0 || project!.access !== 'write') return;
    void askUser({
      title: textNow('resume.title'),
      text: textNow('resume.text', { jobs: left.map((job) => jobTitle(job, textNow)).join(', ') }),
      choices: [{ id: 'resume', label: textNow('jobs.resume') }],
    }).then(async (answer) => {
      if (answer === 'resume') for (const { id } of left) await attempt(ask.jobs.resume({ id }));
    });
  }, [path]);
}
