import { useEffect, useState } from 'react';
import type { ExportRequest } from '../../main/rpc/layers.ts';
import { chooseFiles } from '../commands/choose-files.ts';
import { findNode } from '../commands/layer-tree.ts';
import { overwriting } from '../commands/overwriting.ts';
import { ask, isAborted } from '../connection/client.ts';
import { log } from '../connection/watch.ts';
import { mapActions } from '../map/index.ts';
import { Dialog } from '../parts/Dialog.tsx';
import { dialogs } from '../state/dialogs.ts';
import { layout } from '../state/layout.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';

const formats = ['gpkg', 'geojson', 'shp', 'tif'] as const;

/** Where a layer goes, in what, and how much of it. */
export function ExportDialog({ table }: { table: string }) {
  const text = useText();
  const project = host.use((value) => value.project);
  const selection = session.use((value) => value.selection);
  const layer = project?.layers.find((candidate) => candidate.table === table);
  const node = project && findNode(project.tree, `layer:${table}`);
  const filter = (node && node.kind !== 'group' && node.filter) || { confidence: 0, area: 0 };
  const filtered = filter.confidence > 0 || filter.area > 0;
  const selected = selection.layer === table ? selection.fids.size : 0;
  const [chosen, setChosen] = useState<ReadonlySet<(typeof formats)[number]>>(new Set(['gpkg']));
  const [crs, setCrs] = useState<string | null>(null);
  const [onlySelected, setOnlySelected] = useState(selected > 0);
  const [useFilter, setUseFilter] = useState(filtered);
  const [simplify, setSimplify] = useState(0);
  const [out, setOut] = useState(() =>
    project && layer && !project.untitled ? `${folderOf(project.path)}${fileName(layer.name)}` : '',
  );
  const [counts, setCounts] = useState<{ before: number; after: number } | null>(null);
  const close = () => dialogs.set({ export: null });

  useEffect(() => {
    const box = mapActions.extentOfView();
    if (simplify <= 0 || !box || !project) {
      setCounts(null);
      return;
    }
    const leaving = new AbortController();
    const timer = setTimeout(() => {
      ask.layers
        .simplified(
          { layer: table, crs: project.system.crs, box, metres: simplify },
          { signal: leaving.signal },
        )
        .then(setCounts, (error) => !isAborted(error) && setCounts(null));
    }, 300);
    return () => {
      clearTimeout(timer);
      leaving.abort();
    };
  }, [simplify, table, project]);

  if (!layer || !project) return null;
  const pixels = layer.crs === 'PIXELS';
  const unit = pixels ? 'px' : 'm';
  const start = async () => {
    const request: Omit<ExportRequest, 'overwrite'> = {
      layer: table,
      out,
      formats: formats.filter((format) => chosen.has(format)),
      crs,
      fids: onlySelected && selected > 0 ? [...selection.fids] : null,
      filter: useFilter ? filter : { confidence: 0, area: 0 },
      simplify,
    };
    const queued = await overwriting((overwrite) => ask.layers.export({ ...request, overwrite }));
    if (!queued) return;
    log('info', text('export.queued', { name: layer.name }));
    layout.show('jobs');
    close();
  };
  return (
    <Dialog
      title={text('export.title', { name: layer.name })}
      onClose={close}
      actions={
        <>
          <button type="button" onClick={close}>
            {text('action.cancel')}
          </button>
          <button
            type="button"
            className="main"
            disabled={chosen.size === 0 || out.trim() === ''}
            onClick={() => void start()}
          >
            {text('export.start')}
          </button>
        </>
      }
    >
      <div className="fields">
        <fieldset className="choice">
          <legend>{text('export.formats')}</legend>
          {formats.map((format) => (
            <label key={format}>
              <input
                type="checkbox"
                checked={chosen.has(format)}
                onChange={(event) => {
                  const next = new Set(chosen);
                  if (event.target.checked) next.add(format);
                  else next.delete(format);
                  setChosen(next);
                }}
              />
              {text(`export.${format}`)}
            </label>
          ))}
        </fieldset>
        <label>
          <span>{text('export.out')}</span>
          <input
            value={out}
            placeholder={text('export.outHint')}
            onChange={(event) => setOut(event.target.value)}
          />
          <button
            type="button"
            onClick={async () => {
              const [file] = (await chooseFiles('export', out || fileName(layer.name))) ?? [];
              if (file) setOut(file);
            }}
          >
            …
          </button>
        </label>
        <label>
          <span>{text('export.crs')}</span>
          <output>
            {crs ?? (pixels ? text('status.pixels') : text('export.ownCrs', { crs: layer.crs }))}
          </output>
          <button
            type="button"
            onClick={() =>
              dialogs.set({
                crs: {
                  current: crs ?? layer.crs,
                  choose: (next) => setCrs(next === layer.crs ? null : next),
                },
              })
            }
          >
            …
          </button>
        </label>
        {chosen.has('geojson') && <p className="quiet indent">{text('export.geojsonCrs')}</p>}
        <label className="check">
          <input
            type="checkbox"
            disabled={selected === 0}
            checked={onlySelected && selected > 0}
            onChange={(event) => setOnlySelected(event.target.checked)}
          />
          {text('export.selected', { count: selected })}
        </label>
        <label className="check">
          <input
            type="checkbox"
            disabled={!filtered}
            checked={useFilter && filtered}
            onChange={(event) => setUseFilter(event.target.checked)}
          />
          {text('export.filter', {
            confidence: Math.round(filter.confidence * 100),
            area: Math.round(filter.area),
            unit,
          })}
        </label>
        <label>
          <span>{text('run.simplify')}</span>
          <input
            type="number"
            min={0}
            step={0.1}
            value={simplify}
            onChange={(event) => setSimplify(Math.max(0, Number(event.target.value)))}
          />
          <span className="unit">{unit}</span>
        </label>
        {counts && (
          <p className="quiet indent" role="status">
            {text('export.vertices', {
              before: counts.before.toLocaleString(),
              after: counts.after.toLocaleString(),
            })}
          </p>
        )}
      </div>
    </Dialog>
  );
}

/** With the mark at its end. */
const folderOf = (file: string) => file.replace(/[^/\\]*$/, '');

/** A layer's name as a file may be called on any system. */
const fileName = (name: string) => name.replace(/[\\/:*?"<>|]+/g, ' ').trim();
