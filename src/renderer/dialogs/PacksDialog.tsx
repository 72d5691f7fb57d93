import { useState } from 'react';
import type { Pack } from '../../main/rpc/packs.ts';
import { chooseFiles } from '../commands/choose-files.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { log } from '../connection/watch.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { JobProgress } from '../parts/JobProgress.tsx';
import { askUser, dialogs } from '../state/dialogs.ts';
import { host } from '../state/project.ts';
import { useText } from '../texts/use-text.ts';
import { windowHint } from '../texts/window-hint.ts';

const precisions = ['float32', 'float16', 'int8'] as const;
type Precision = (typeof precisions)[number];

/** Models: what is here, what can be had, and on what terms. */
export function PacksDialog() {
  const text = useText();
  const packs = host.use((value) => value.packs);
  const close = () => dialogs.set({ packs: false });
  return (
    <Dialog title={text('packs.title')} onClose={close} wide>
      <p className="quiet">{text('packs.about')}</p>
      <ul className="packs" aria-label={text('packs.title')}>
        {packs.map((pack) => (
          <PackRow key={pack.name} pack={pack} />
        ))}
      </ul>
    </Dialog>
  );
}

function PackRow({ pack }: { pack: Pack }) {
  const text = useText();
  const [precision, setPrecision] = useState<Precision>('float32');
  const [verifying, setVerifying] = useState(false);
  const [verified, setVerified] = useState<string | null>(null);
  const jobs = host.use((value) => value.jobs);
  const job = jobs.findLast(({ kind, pack: name }) => kind === 'install' && name === pack.name);
  const active = job?.state === 'running' || job?.state === 'queued';

  const install = async (from: string | null) => {
    const terms = pack.licences
      .map(({ part, licence, url }) => `${part}: ${licence ?? text('packs.noLicence')} (${url})`)
      .join('\n');
    const answer = await askUser({
      title: text('packs.install', { name: pack.title }),
      text: `${text('packs.terms', { size: pack.megabytes === null ? '?' : Math.round(pack.megabytes) })}\n${terms}`,
      choices: [{ id: 'accept', label: text('packs.accept') }],
    });
    if (answer !== 'accept') return;
    await attempt(ask.packs.install({ name: pack.name, from, precision, acceptLicences: true }));
  };
  const verify = async () => {
    setVerifying(true);
    setVerified(null);
    const found = await attempt(ask.packs.verify({ name: pack.name }));
    setVerifying(false);
    if (!found) return;
    const told = text('packs.verified', { name: pack.title, files: found.files, answers: found.answers });
    setVerified(told);
    log('info', told);
  };
  const remove = async () => {
    const answer = await askUser({
      title: text('packs.removeIt', { name: pack.title }),
      text: text('packs.removeAbout'),
      choices: [{ id: 'remove', label: text('packs.remove'), danger: true }],
    });
    if (answer !== 'remove') return;
    await attempt(ask.packs.remove({ name: pack.name }));
    const packs = await attempt(ask.packs.list());
    if (packs) host.set({ packs });
  };

  return (
    <li aria-label={pack.title}>
      <div className="job-line">
        <b>{pack.title}</b>
        <span className="quiet">
          {pack.embedded
            ? text('packs.embedded')
            : pack.installed
              ? text('packs.installed')
              : text('packs.size', { size: pack.megabytes === null ? '?' : Math.round(pack.megabytes) })}
          {pack.modalities.includes('sar') && ` · ${text('packs.sar')}`}
          {pack.installed && ` · ${pack.precision}`}
        </span>
        <span className="grow" />
        {!pack.installed && !active && (
          <>
            <select
              aria-label={text('packs.precision')}
              value={precision}
              onChange={(event) => setPrecision(event.target.value as Precision)}
            >
              {precisions.map((each) => (
                <option key={each} value={each}>
                  {text(`packs.${each}`)}
                </option>
              ))}
            </select>
            <button
              type="button"
              onClick={async () => {
                const [folder] = (await chooseFiles('folder')) ?? [];
                if (folder) await install(folder);
              }}
            >
              {text('packs.fromFolder')}
            </button>
            <button type="button" className="main" onClick={() => void install(null)}>
              {text('packs.get')}
            </button>
          </>
        )}
        {active && (
          <button type="button" onClick={() => void attempt(ask.jobs.cancel({ id: job.id }))}>
            {text('action.cancel')}
          </button>
        )}
        {pack.installed && (
          <button type="button" disabled={verifying} onClick={() => void verify()}>
            {text(verifying ? 'packs.verifying' : 'packs.verify')}
          </button>
        )}
        {pack.installed && !pack.embedded && (
          <button type="button" disabled={verifying} onClick={() => void remove()}>
            {text('packs.remove')}
          </button>
        )}
      </div>
      {active && <JobProgress job={job} />}
      {job?.state === 'failed' && job.problem && (
        <p className="warn" role="status">
          {job.problem.message} {windowHint(job.problem, text)}
        </p>
      )}
      {verified && (
        <p className="quiet" role="status">
          {verified}
        </p>
      )}
      {pack.licences.length > 0 && (
        <p className="quiet">
          {pack.licences
            .map(({ part, licence }) => `${part}: ${licence ?? text('packs.noLicence')}`)
            .join(' · ')}
        </p>
      )}
      {pack.knownWords.length > 0 && (
        <p className="quiet">{text('packs.knows', { words: pack.knownWords.slice(0, 24).join(', ') })} …</p>
      )}
    </li>
  );
}
