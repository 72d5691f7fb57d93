import { commandOf } from '../commands/commands.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { dialogs } from '../state/dialogs.ts';
import { host } from '../state/project.ts';
import { useText } from '../texts/use-text.ts';
import { windowHint } from '../texts/window-hint.ts';
import { CrsDialog } from './CrsDialog.tsx';
import { DifferenceDialog } from './DifferenceDialog.tsx';
import { ExportDialog } from './ExportDialog.tsx';
import { FileDialog } from './FileDialog.tsx';
import { PacksDialog } from './PacksDialog.tsx';
import { Palette } from './Palette.tsx';
import { RepairDialog } from './RepairDialog.tsx';
import { ShiftDialog } from './ShiftDialog.tsx';

/** Ways out of a problem, by the beginning of its code: the command that helps. */
const waysOut: readonly [code: string, command: string][] = [
  ['pack/', 'processing.packs'],
  ['project/missing', 'project.repair'],
  ['scene/missing', 'project.repair'],
  ['project/read-only', 'project.saveAs'],
  ['disk/full', 'project.saveAs'],
  ['screen/no-scene', 'layer.addScene'],
];

/** Whatever the screen asks at the moment, the last question on top. */
export function Dialogs() {
  const open = dialogs.use((value) => value);
  return (
    <>
      {open.packs && <PacksDialog />}
      {open.repair && <RepairDialog />}
      {open.difference && <DifferenceDialog />}
      {open.shift && <ShiftDialog />}
      {open.export !== null && <ExportDialog table={open.export} />}
      {open.palette && <Palette />}
      {open.about && <About />}
      {open.crs && <CrsDialog current={open.crs.current} choose={open.crs.choose} />}
      {open.file && <FileDialog question={open.file} />}
      {open.question && <Question />}
      {open.problem && <ProblemDialog />}
    </>
  );
}

function Question() {
  const text = useText();
  const question = dialogs.use((value) => value.question)!;
  return (
    <Dialog
      title={question.title}
      onClose={() => question.answer(null)}
      actions={
        <>
          <button type="button" onClick={() => question.answer(null)}>
            {question.dismiss ?? text('action.cancel')}
          </button>
          {question.choices.map(({ id, label, danger }) => (
            <button
              key={id}
              type="button"
              className={danger ? 'danger' : 'main'}
              onClick={() => question.answer(id)}
            >
              {label}
            </button>
          ))}
        </>
      }
    >
      <p className="lines">{question.text}</p>
    </Dialog>
  );
}

function ProblemDialog() {
  const text = useText();
  const problem = dialogs.use((value) => value.problem)!;
  const close = () => dialogs.set({ problem: null });
  // A way out may open only when the project has been told of what went wrong.
  host.use((value) => value.project);
  const way = waysOut.find(([code]) => problem.code.startsWith(code));
  const command = way && commandOf(way[1]);
  const { job } = problem;
  return (
    <Dialog
      title={text('problem.title')}
      onClose={close}
      actions={
        <>
          {command && (command.enabled?.() ?? true) && (
            <button
              type="button"
              onClick={() => {
                close();
                setTimeout(() => void command.run());
              }}
            >
              {text(command.label)}
            </button>
          )}
          {job !== undefined && (
            <button
              type="button"
              onClick={() => {
                close();
                void attempt(ask.jobs.resume({ id: job }));
              }}
            >
              {text('jobs.resume')}
            </button>
          )}
          <button type="button" className="main" onClick={close}>
            {text('action.ok')}
          </button>
        </>
      }
    >
      <p role="alert" className="problem">
        {problem.message}
      </p>
      {problem.hint && <p>{windowHint(problem, text)}</p>}
    </Dialog>
  );
}

function About() {
  const text = useText();
  const version = host.use((value) => value.version);
  return (
    <Dialog title="Landscribe" onClose={() => dialogs.set({ about: false })}>
      <p>{text('about.text', { version })}</p>
    </Dialog>
  );
}
