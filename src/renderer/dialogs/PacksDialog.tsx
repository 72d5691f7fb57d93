import { useState } from 'react';
import type { Pack } from '../../main/rpc/packs.ts';
import { chooseFiles } from '../commands/choose-files.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { log } from '../connection/watch.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { askUser, dialogs } from '../state/dialogs.ts';
import { layout } from '../state/layout.ts';
import { host } from '../state/project.ts';
import { useText } from '../texts/use-text.ts';

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
  const [from, setFrom] = useState<string | null>(null);
  const refresh = async () => {
    const packs = await attempt(ask.packs.list());
    if (packs) host.set({ packs });
  };
  const install = async (folder: string | null) => {
    const terms = pack.licences
      .map(({ part, licence, url }) => `${part}: ${licence ?? text('packs.noLicence')} (${url})`)
      .join('\n');
    const answer = await askUser({
      title: text('packs.install', { name: pack.title }),
      text: `${text('packs.terms', { size: pack.megabytes ?? '?' })}\n${terms}`,
      choices: [{ id: 'accept', label: text('packs.accept') }],
    });
    if (answer !== 'accept') return;
    const queued = await attempt(ask.packs.install({ name: pack.name, from: folder, acceptLicences: true }));
    if (queued) layout.show('jobs');
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
        {!pack.installed && (
          <>
            <button
              type="button"
              onClick={async () => {
                const [folder] = (await chooseFiles('folder')) ?? [];
                if (!folder) return;
                setFrom(folder);
                await install(folder);
              }}
            >
              {text('packs.fromFolder')}
            </button>
            <button type="button" className="main" onClick={() => void install(null)}>
              {text('packs.get')}
            </button>
          </>
        )}
        {pack.installed && (
          <button
            type="button"
            onClick={async () => {
              const verified = await attempt(ask.packs.verify({ name: pack.name }));
              if (verified)
                log(
                  'info',
                  text('packs.verified', {
                    name: pack.title,
                    files: verified.files,
                    answers: verified.answers,
                  }),
                );
            }}
          >
            {text('packs.verify')}
          </button>
        )}
        {pack.installed && !pack.embedded && (
          <button
            type="button"
            onClick={async () => {
              await attempt(ask.packs.remove({ name: pack.name }));
              await refresh();
            }}
          >
            {text('packs.remove')}
          </button>
        )}
      </div>
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
      {from && <p className="quiet">{from}</p>}
    </li>
  );
}
