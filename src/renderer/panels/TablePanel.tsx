import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type MouseEvent, useEffect, useMemo, useRef, useState } from 'react';
import { runCommand } from '../commands/commands.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { type Columns, loadColumns } from '../connection/columns.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';
import { type ColumnName, columnNames, orderRows } from './table-order.ts';

const rowHeight = 22;
const headHeight = 26;
const nothing: ReadonlySet<number> = new Set();

/** Attributes of a layer's polygons; what is selected here is selected on the map, and the other way round. */
export function TablePanel() {
  const project = host.use((value) => value.project);
  const node = session.use((value) => value.node);
  const selection = session.use((value) => value.selection);
  const text = useText();
  const layer = project?.layers.find(({ table }) => `layer:${table}` === node) ?? project?.layers.at(-1);
  const [columns, setColumns] = useState<Columns | null>(null);
  const [sort, setSort] = useState<{ name: ColumnName; ascending: boolean }>({
    name: 'fid',
    ascending: true,
  });
  const [classId, setClassId] = useState<number | null>(null);
  const [confidence, setConfidence] = useState(0);
  const [area, setArea] = useState(0);
  const [selectedOnly, setSelectedOnly] = useState(false);
  const scroller = useRef<HTMLDivElement>(null);
  const anchor = useRef<number | null>(null);
  /** Row that the arrows go on from. */
  const last = useRef<number | null>(null);

  useEffect(() => {
    let current = true;
    if (!layer) setColumns(null);
    else void attempt(loadColumns(layer)).then((found) => current && found && setColumns(found));
    return () => {
      current = false;
    };
  }, [layer]);

  // Classes and rows of one layer are none of another's.
  const table = layer?.table;
  // biome-ignore lint/correctness/useExhaustiveDependencies: when another layer is shown
  useEffect(() => {
    setClassId(null);
    anchor.current = null;
    last.current = null;
  }, [table]);

  const chosen = selection.layer === layer?.table ? selection.fids : nothing;
  // Selecting alone does not order the rows again.
  const only = selectedOnly ? chosen : null;
  const rows = useMemo(
    () =>
      columns
        ? orderRows(columns, {
            sort: sort.name,
            ascending: sort.ascending,
            classes: classId === null ? null : new Set([classId]),
            confidence,
            area,
            only,
          })
        : new Uint32Array(0),
    [columns, sort, classId, confidence, area, only],
  );
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: 12,
    // The head stays in sight and takes its height from the rows.
    scrollPaddingEnd: headHeight,
  });

  // What is selected on the map comes into sight; what is selected here already is.
  const chosenHere = useRef<ReadonlySet<number>>(nothing);
  useEffect(() => {
    if (!columns || chosen.size === 0 || chosenHere.current === chosen) return;
    const index = rows.findIndex((row) => chosen.has(columns.fid[row]!));
    if (index >= 0) virtual.scrollToIndex(index, { align: 'auto' });
  }, [chosen, columns, rows, virtual]);

  if (!layer || !columns)
    return (
      <div className="panel empty">
        <p>{text(layer ? 'table.loading' : 'table.empty')}</p>
      </div>
    );
  const names = new Map(layer.classes.map(({ id, name, colour }) => [id, { name, colour }]));
  const select = (index: number, event: MouseEvent | KeyboardEvent) => {
    const fid = columns.fid[rows[index]!]!;
    let next: Set<number>;
    if (event.shiftKey && anchor.current !== null) {
      const [from, to] = [Math.min(anchor.current, index), Math.max(anchor.current, index)];
      next = new Set(event.ctrlKey || event.metaKey ? chosen : []);
      for (let i = from; i <= to; i++) next.add(columns.fid[rows[i]!]!);
    } else {
      anchor.current = index;
      if (event.ctrlKey || event.metaKey) {
        next = new Set(chosen);
        if (!next.delete(fid)) next.add(fid);
      } else next = new Set([fid]);
    }
    last.current = index;
    setSelection(next);
  };
  const setSelection = (fids: ReadonlySet<number>) => {
    chosenHere.current = fids;
    session.set({ selection: { layer: layer.table, fids } });
  };
  const selectAll = () => setSelection(new Set(Array.from(rows, (row) => columns.fid[row]!)));
  /** Arrows choose the next row; with Shift they stretch the choice. */
  const moveInRows = (event: KeyboardEvent) => {
    if ((event.target as HTMLElement).matches('button') || rows.length === 0) return;
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key === 'a') selectAll();
    else {
      const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 2);
      const from = last.current ?? -1;
      const to = {
        ArrowDown: from + 1,
        ArrowUp: from - 1,
        PageDown: from + page,
        PageUp: from - page,
        Home: 0,
        End: rows.length - 1,
      }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      const index = Math.max(0, Math.min(rows.length - 1, to));
      select(index, event);
      virtual.scrollToIndex(index, { align: 'auto' });
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const changeClass = async (id: number) => {
    await attempt(ask.layers.changeClass({ layer: layer.table, fids: [...chosen], classId: id }));
  };
  const writable = project?.access === 'write';
  const metre = layer.crs === 'PIXELS' ? 'px' : 'm';
  const units: Partial<Record<ColumnName, string>> = { area: `${metre}²`, perimeter: metre };

  return (
    <div className="panel table-panel">
      <div className="panel-tools">
        <b>{layer.name}</b>
        <span className="quiet">
          {text('table.count', {
            shown: rows.length.toLocaleString(),
            all: columns.count.toLocaleString(),
            selected: chosen.size.toLocaleString(),
          })}
        </span>
        <select
          aria-label={text('table.filterClass')}
          value={classId ?? ''}
          onChange={(event) => setClassId(event.target.value === '' ? null : Number(event.target.value))}
        >
          <option value="">{text('table.allClasses')}</option>
          {layer.classes.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
        <label>
          {text('column.confidence')} ≥
          <input
            type="number"
            min={0}
            max={100}
            value={Math.round(confidence * 100)}
            onChange={(event) => setConfidence(Number(event.target.value) / 100)}
          />
          %
        </label>
        <label>
          {text('column.area')} ≥
          <input
            type="number"
            min={0}
            value={area}
            onChange={(event) => setArea(Number(event.target.value))}
          />
          {metre}²
        </label>
        <label>
          <input
            type="checkbox"
            checked={selectedOnly}
            onChange={(event) => setSelectedOnly(event.target.checked)}
          />
          {text('table.selectedOnly')}
        </label>
        <button type="button" onClick={selectAll}>
          {text('table.selectAll')}
        </button>
        <span className="grow" />
        <select
          aria-label={text('table.changeClass')}
          value=""
          disabled={!writable || chosen.size === 0}
          onChange={(event) => void changeClass(Number(event.target.value))}
        >
          <option value="" disabled>
            {text('table.changeClass')}
          </option>
          {layer.classes.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
        <button type="button" disabled={chosen.size === 0} onClick={() => runCommand('view.zoomSelection')}>
          {text('table.zoom')}
        </button>
        <button
          type="button"
          disabled={!writable || chosen.size < 2}
          onClick={() => runCommand('edit.merge')}
        >
          {text('command.merge')}
        </button>
        <button
          type="button"
          disabled={!writable || chosen.size === 0}
          onClick={() => runCommand('edit.remove')}
        >
          {text('table.delete')}
        </button>
      </div>
      <div
        ref={scroller}
        className="grid"
        role="grid"
        aria-label={text('panel.table')}
        aria-rowcount={rows.length + 1}
        aria-multiselectable="true"
        tabIndex={0}
        onKeyDown={moveInRows}
      >
        <div role="row" className="grid-row head" tabIndex={-1}>
          {columnNames.map((name) => (
            <button
              key={name}
              type="button"
              role="columnheader"
              aria-sort={sort.name === name ? (sort.ascending ? 'ascending' : 'descending') : 'none'}
              onClick={() => setSort({ name, ascending: sort.name === name ? !sort.ascending : true })}
            >
              {text(`column.${name}`)}
              {units[name] && `, ${units[name]}`} {sort.name === name ? (sort.ascending ? '▲' : '▼') : ''}
            </button>
          ))}
        </div>
        <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = rows[index]!;
            const fid = columns.fid[row]!;
            const entry = names.get(columns.classId[row]!);
            return (
              <div
                key={fid}
                role="row"
                aria-rowindex={index + 2}
                aria-selected={chosen.has(fid)}
                tabIndex={-1}
                className={`grid-row${chosen.has(fid) ? ' selected' : ''}`}
                style={{ transform: `translateY(${start}px)`, height: rowHeight }}
                onClick={(event) => select(index, event)}
                onDoubleClick={() => runCommand('view.zoomSelection')}
                onKeyDown={(event) => event.key === 'Enter' && select(index, event)}
              >
                <span role="gridcell" tabIndex={-1}>
                  {fid}
                </span>
                <span role="gridcell" tabIndex={-1}>
                  <i style={{ background: entry?.colour }} />
                  {entry?.name ?? columns.classId[row]}
                </span>
                <span role="gridcell" tabIndex={-1} className="number">
                  {(columns.confidence[row]! * 100).toFixed(0)} %
                </span>
                <span role="gridcell" tabIndex={-1} className="number">
                  {columns.area[row]!.toFixed(1)}
                </span>
                <span role="gridcell" tabIndex={-1} className="number">
                  {columns.perimeter[row]!.toFixed(1)}
                </span>
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}
