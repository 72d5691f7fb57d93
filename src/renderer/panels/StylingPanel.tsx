import { useEffect, useMemo, useState } from 'react';
import type { ProjectLayer, ProjectState, TreeNode } from '../../main/rpc/project.ts';
import { saveTree } from '../commands/ahead.ts';
import { changeNode, findNode } from '../commands/layer-tree.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { type Columns, loadColumns } from '../connection/columns.ts';
import { AreaTable } from '../parts/AreaTable.tsx';
import { ColourInput } from '../parts/ColourInput.tsx';
import { Histogram } from '../parts/Histogram.tsx';
import { madeWith } from '../parts/made-with.ts';
import { Slider } from '../parts/Slider.tsx';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';

type Leaf = Exclude<TreeNode, { kind: 'group' }>;

/** Looks of the selected layer, and what of it is shown. */
export function StylingPanel() {
  const project = host.use((value) => value.project);
  const selected = session.use((value) => value.node);
  const text = useText();
  const node = project ? ((selected && findNode(project.tree, selected)) ?? topLayer(project)) : null;
  if (!project || !node || node.kind === 'group')
    return (
      <div className="panel empty">
        <p>{text('styling.empty')}</p>
      </div>
    );
  const layer =
    node.kind === 'layer' ? project.layers.find(({ table }) => `layer:${table}` === node.id) : undefined;
  const raster =
    node.kind === 'raster' ? project.rasters.find(({ id }) => `raster:${id}` === node.id) : undefined;
  const save = (part: Partial<Leaf>, label: string) =>
    saveTree(
      changeNode(project.tree, node.id, (old) => ({ ...old, ...part }) as TreeNode),
      label,
    );
  return (
    <div className="panel styling">
      <Slider
        label={text('styling.opacity')}
        value={node.opacity}
        minimum={0}
        maximum={1}
        step={0.05}
        format={(value) => `${Math.round(value * 100)} %`}
        onRest={(opacity) => void save({ opacity }, text('styling.opacity'))}
      />
      {raster?.areas && (
        <AreaTable
          areas={raster.areas}
          colours={new Map(raster.classes.map(({ id, colour }) => [id, colour]))}
        />
      )}
      {layer && <ClassColours layer={layer} />}
      {layer && <Filters layer={layer} node={node} save={save} />}
      {layer && <p className="quiet">{madeWith(layer, text)}</p>}
    </div>
  );
}

function topLayer(project: ProjectState): TreeNode | null {
  return project.tree.find(({ kind }) => kind === 'layer') ?? project.tree[0] ?? null;
}

function ClassColours({ layer }: { layer: ProjectLayer }) {
  const text = useText();
  const change = (id: number, part: { name?: string; colour?: string }) =>
    void attempt(
      ask.layers.style({
        layer: layer.table,
        classes: layer.classes.map(({ id: own, name, colour }) =>
          own === id ? { id, name, colour, ...part } : { id: own, name, colour },
        ),
        label: text('step.style', { name: layer.name }),
      }),
    );
  return (
    <ul className="class-colours" aria-label={text('styling.classes')}>
      {layer.classes.map(({ id, name, colour }) => (
        <li key={id}>
          <ColourInput
            value={colour}
            label={text('prompts.colour', { name })}
            onRest={(next) => change(id, { colour: next })}
          />
          <input
            aria-label={text('styling.className', { name })}
            key={name}
            defaultValue={name}
            onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
            onBlur={(event) => {
              const next = event.target.value.trim();
              if (next !== '' && next !== name) change(id, { name: next });
              else event.target.value = name;
            }}
          />
        </li>
      ))}
    </ul>
  );
}

const bins = 40;

function Filters({
  layer,
  node,
  save,
}: {
  layer: ProjectLayer;
  node: Leaf;
  save(part: Partial<Leaf>, label: string): Promise<boolean>;
}) {
  const text = useText();
  const unit = layer.crs === 'PIXELS' ? 'px' : 'm';
  const [columns, setColumns] = useState<Columns | null>(null);
  const filter = node.filter ?? { confidence: 0, area: 0 };
  const [shown, setShown] = useState(filter);
  useEffect(() => {
    let current = true;
    void attempt(loadColumns(layer)).then((found) => current && found && setColumns(found));
    return () => {
      current = false;
    };
  }, [layer]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: by value
  useEffect(() => {
    setShown(filter);
    // The project has it now.
    session.set({ filtering: null });
  }, [filter.confidence, filter.area]);
  /** On the map at once; the project keeps where the slider comes to rest. */
  const move = (part: Partial<typeof filter>) => {
    setShown({ ...shown, ...part });
    session.set({ filtering: { node: node.id, ...shown, ...part } });
  };
  const keep = async (part: Partial<typeof filter>) => {
    const kept = await save({ filter: { ...filter, ...part } }, text('styling.filter'));
    if (kept) return;
    setShown(filter);
    session.set({ filtering: null });
  };
  const histogram = useMemo(() => {
    const counts = new Array<number>(bins).fill(0);
    for (const value of columns?.confidence ?? []) counts[Math.min(bins - 1, Math.floor(value * bins))]!++;
    return counts;
  }, [columns]);
  const largest = useMemo(() => {
    let most = 1;
    for (const value of columns?.area ?? []) if (value > most) most = value;
    return most;
  }, [columns]);
  const kept = useMemo(() => {
    if (!columns) return null;
    let count = 0;
    for (let i = 0; i < columns.count; i++)
      if (columns.confidence[i]! >= shown.confidence && columns.area[i]! >= shown.area) count++;
    return count;
  }, [columns, shown]);
  // Areas span many powers of ten; the slider moves along their logarithm.
  const toSlider = (area: number) => Math.log10(1 + area) / Math.log10(1 + largest);
  const toArea = (position: number) => (position <= 0 ? 0 : (1 + largest) ** position - 1);
  return (
    <section className="filters" aria-label={text('styling.filter')}>
      <Histogram
        counts={histogram}
        from={shown.confidence}
        to={1}
        label={text('styling.confidenceHistogram')}
      />
      <Slider
        label={text('styling.confidence')}
        value={filter.confidence}
        minimum={0}
        maximum={1}
        step={0.01}
        format={(value) => `≥ ${Math.round(value * 100)} %`}
        onMove={(confidence) => move({ confidence })}
        onRest={(confidence) => void keep({ confidence })}
      />
      <Slider
        label={text('styling.area')}
        value={toSlider(filter.area)}
        minimum={0}
        maximum={1}
        step={0.005}
        format={(value) => `≥ ${Math.round(toArea(value)).toLocaleString()} ${unit}²`}
        onMove={(position) => move({ area: toArea(position) })}
        onRest={(position) => void keep({ area: toArea(position) })}
      />
      {kept !== null && (
        <p className="quiet" role="status">
          {text('styling.shown', { shown: kept.toLocaleString(), all: columns!.count.toLocaleString() })}
        </p>
      )}
    </section>
  );
}
