import { type KeyboardEvent, useCallback, useState } from 'react';
import type { ProjectState, TreeNode } from '../../main/rpc/project.ts';
import { saveTree } from '../commands/ahead.ts';
import { commandOf, runCommand, saveVisible } from '../commands/commands.ts';
import {
  changeNode,
  findNode,
  groupOf,
  listedNodes,
  moveNode,
  nodeName,
  stepNode,
} from '../commands/layer-tree.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { mapActions } from '../map/index.ts';
import { Icon } from '../parts/Icon.tsx';
import { madeWith } from '../parts/made-with.ts';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import type { Text } from '../texts/catalogue.ts';
import { useText } from '../texts/use-text.ts';
import { LayerMenu } from './LayerMenu.tsx';

/** The project's layers as a tree, topmost first. */
export function LayersPanel() {
  const project = host.use((value) => value.project);
  const selected = session.use((value) => value.node);
  const [renaming, setRenaming] = useState<string | null>(null);
  const [target, setTarget] = useState<string | null>(null);
  const [menu, setMenu] = useState<readonly [number, number] | null>(null);
  const closeMenu = useCallback(() => setMenu(null), []);
  const text = useText();
  if (!project || project.tree.length === 0) {
    return (
      <div className="panel empty">
        <p>{text('layers.empty')}</p>
        <button type="button" className="main" onClick={() => runCommand('layer.addScene')}>
          {text('command.openScene')} …
        </button>
      </div>
    );
  }
  const save = (tree: TreeNode[], label: string) => void saveTree(tree, label);
  const shared = { project, selected, renaming, setRenaming, target, setTarget, setMenu, save };
  return (
    <div className="panel layers">
      <div className="panel-tools">
        <button
          type="button"
          className="plain"
          title={text('command.openScene')}
          aria-label={text('command.openScene')}
          onClick={() => runCommand('layer.addScene')}
        >
          <Icon name="plus" />
        </button>
        <button
          type="button"
          className="plain"
          title={text('command.newGroup')}
          aria-label={text('command.newGroup')}
          onClick={() => runCommand('layer.group')}
        >
          <Icon name="open" />
        </button>
        <button
          type="button"
          className="plain"
          title={text('command.removeLayer')}
          aria-label={text('command.removeLayer')}
          disabled={!(commandOf('layer.remove').enabled?.() ?? true)}
          onClick={() => runCommand('layer.remove')}
        >
          <Icon name="close" />
        </button>
      </div>
      <ul
        role="tree"
        aria-label={text('panel.layers')}
        className="tree"
        onKeyDown={(event) => moveBetween(event, project, setRenaming, save, text)}
      >
        {project.tree.map((node) => (
          <Row key={node.id} node={node} depth={0} {...shared} />
        ))}
        <li
          role="none"
          className={`tree-end${target === '' ? ' target' : ''}`}
          onDragOver={(event) => {
            event.preventDefault();
            setTarget('');
          }}
          onDrop={(event) => {
            setTarget(null);
            save(moveNode(project.tree, event.dataTransfer.getData('text/plain'), 'end'), text('step.order'));
          }}
        />
      </ul>
      {menu && selected && (
        <LayerMenu node={selected} at={menu} onRename={() => setRenaming(selected)} onClose={closeMenu} />
      )}
    </div>
  );
}

/** As trees are used: arrows move, open and close; Alt with an arrow moves the layer; Space shows or hides it. */
function moveBetween(
  event: KeyboardEvent,
  project: ProjectState,
  rename: (id: string) => void,
  save: (tree: TreeNode[], label: string) => void,
  text: Text,
): void {
  const { node } = session.get();
  if ((event.target as HTMLElement).matches('input')) return;
  const listed = listedNodes(project.tree);
  const at = node ? listed.indexOf(node) : -1;
  const found = node ? findNode(project.tree, node) : null;
  const go = (id: string | undefined) => {
    if (id === undefined) return;
    session.set({ node: id });
    document.querySelector<HTMLElement>(`[data-node="${CSS.escape(id)}"]`)?.focus();
  };
  const fold = (open: boolean) => {
    if (!found || found.open === open) return false;
    save(
      changeNode(project.tree, found.id, (old) => ({ ...old, open })),
      text(open ? 'layers.unfold' : 'layers.fold'),
    );
    return true;
  };
  if (event.altKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown')) {
    if (node) save(stepNode(project.tree, node, event.key === 'ArrowUp' ? -1 : 1), text('step.order'));
  } else if (event.ctrlKey || event.metaKey || event.altKey) return;
  else if (event.key === 'ArrowDown') go(listed[at + 1]);
  else if (event.key === 'ArrowUp') go(listed[Math.max(0, at - 1)]);
  else if (event.key === 'Home') go(listed[0]);
  else if (event.key === 'End') go(listed.at(-1));
  else if (event.key === 'ArrowRight') {
    if (!fold(true) && found?.kind === 'group') go(found.children[0]?.id);
  } else if (event.key === 'ArrowLeft') {
    if (!fold(false) && node) go(groupOf(project.tree, node) ?? undefined);
  } else if (event.key === 'Enter' && found && found.kind !== 'group') mapActions.zoomToLayer(found.id);
  else if (event.key === 'F2' && node) rename(node);
  else if (event.key === ' ' && found) void saveVisible(found.id, !found.visible);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

interface RowShared {
  project: ProjectState;
  selected: string | null;
  renaming: string | null;
  setRenaming(id: string | null): void;
  target: string | null;
  setTarget(id: string | null): void;
  setMenu(at: readonly [number, number]): void;
  save(tree: TreeNode[], label: string): void;
}

function Row({ node, depth, ...shared }: { node: TreeNode; depth: number } & RowShared) {
  const { project, selected, renaming, setRenaming, target, setTarget, setMenu, save } = shared;
  const text = useText();
  const name = nodeName(project, node);
  const overviews = host.use((value) =>
    node.kind === 'scene' ? value.overviews[Number(node.id.slice(6))] : undefined,
  );
  const legend = node.kind === 'group' ? [] : classesOf(project, node);
  const change = (label: string, edit: (old: TreeNode) => TreeNode) =>
    save(changeNode(project.tree, node.id, edit), label);
  const rename = (value: string) => {
    setRenaming(null);
    const wanted = value.trim();
    if (wanted === '' || wanted === name) return;
    const label = text('step.rename', { name: wanted });
    const key = node.id.slice(node.id.indexOf(':') + 1);
    if (node.kind === 'group') change(label, (old) => ({ ...old, name: wanted }) as TreeNode);
    else if (node.kind === 'scene') void attempt(ask.scenes.change({ id: Number(key), name: wanted, label }));
    else if (node.kind === 'layer') void attempt(ask.layers.rename({ layer: key, name: wanted }));
  };
  return (
    <li role="none">
      <div
        role="treeitem"
        aria-selected={selected === node.id}
        aria-expanded={node.kind === 'group' || legend.length > 0 ? node.open : undefined}
        aria-label={name}
        data-node={node.id}
        tabIndex={selected === node.id || (selected === null && project.tree[0]?.id === node.id) ? 0 : -1}
        className={`tree-row${selected === node.id ? ' selected' : ''}${target === node.id ? ' target' : ''}`}
        style={{ paddingLeft: 4 + depth * 14 }}
        title={tooltip(project, node, text)}
        draggable={renaming !== node.id}
        onClick={() => session.set({ node: node.id })}
        onDoubleClick={() => (node.kind === 'group' ? undefined : mapActions.zoomToLayer(node.id))}
        onContextMenu={(event) => {
          if (renaming === node.id) return;
          event.preventDefault();
          session.set({ node: node.id });
          setMenu([event.clientX, event.clientY]);
        }}
        onKeyDown={() => {}}
        onDragStart={(event) => event.dataTransfer.setData('text/plain', node.id)}
        onDragOver={(event) => {
          event.preventDefault();
          setTarget(node.id);
        }}
        onDragLeave={() => setTarget(null)}
        onDrop={(event) => {
          event.preventDefault();
          setTarget(null);
          const moved = event.dataTransfer.getData('text/plain');
          const place = node.kind === 'group' && node.open ? { into: node.id } : { before: node.id };
          save(moveNode(project.tree, moved, place), text('step.order'));
        }}
      >
        <button
          type="button"
          className="twist"
          tabIndex={-1}
          aria-label={text(node.open ? 'layers.fold' : 'layers.unfold')}
          style={{ visibility: node.kind === 'group' || legend.length > 0 ? 'visible' : 'hidden' }}
          onClick={(event) => {
            event.stopPropagation();
            change(text(node.open ? 'layers.fold' : 'layers.unfold'), (old) => ({ ...old, open: !old.open }));
          }}
        >
          {node.open ? '▾' : '▸'}
        </button>
        <input
          type="checkbox"
          checked={node.visible}
          tabIndex={-1}
          aria-label={text('layers.visible', { name })}
          onChange={(event) => void saveVisible(node.id, event.target.checked)}
          onClick={(event) => event.stopPropagation()}
        />
        {renaming === node.id ? (
          <input
            className="rename"
            defaultValue={name}
            aria-label={text('layers.rename')}
            ref={(element) => element?.focus()}
            onBlur={(event) => rename(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === 'Enter') rename(event.currentTarget.value);
              if (event.key === 'Escape') setRenaming(null);
              event.stopPropagation();
            }}
          />
        ) : (
          <span
            className="name"
            onDoubleClick={(event) => {
              if (node.kind !== 'group') return;
              event.stopPropagation();
              setRenaming(node.id);
            }}
          >
            {name}
          </span>
        )}
        {node.kind !== 'group' && <InViews id={node.id} name={name} />}
        {problemOfNode(project, node) && <span className="warn">!</span>}
        {unknownCrs(project, node) && <span className="quiet">?</span>}
        {overviews !== undefined && overviews < 1 && (
          <progress
            max={1}
            value={overviews}
            title={text('layers.overviews')}
            aria-label={text('layers.overviews')}
          />
        )}
      </div>
      {node.kind === 'group' && node.open && (
        <ul role="group">
          {node.children.map((child) => (
            <Row key={child.id} node={child} depth={depth + 1} {...shared} />
          ))}
        </ul>
      )}
      {node.kind !== 'group' && node.open && legend.length > 0 && (
        <ul className="legend" style={{ paddingLeft: 34 + depth * 14 }}>
          {legend.map(({ id, name: className, colour }) => {
            const off = node.hidden?.includes(id) ?? false;
            return (
              <li key={id}>
                <label>
                  <input
                    type="checkbox"
                    checked={!off}
                    aria-label={text('layers.visible', { name: className })}
                    onChange={() =>
                      change(text(off ? 'step.show' : 'step.hide', { name: className }), (old) => ({
                        ...old,
                        hidden: off
                          ? (node.hidden ?? []).filter((other) => other !== id)
                          : [...(node.hidden ?? []), id],
                      }))
                    }
                  />
                  <i style={{ background: colour }} />
                  {className}
                </label>
              </li>
            );
          })}
        </ul>
      )}
    </li>
  );
}

/** While there are several maps: which of them show the layer. */
function InViews({ id, name }: { id: string; name: string }) {
  const views = session.use((value) => value.views);
  const text = useText();
  if (views.length < 2) return null;
  return views.map((view) => {
    const shown = !view.hidden.includes(id);
    const label = text('layers.inView', { name, view: view.id });
    return (
      <button
        key={view.id}
        type="button"
        className="in-view"
        aria-pressed={shown}
        aria-label={label}
        title={label}
        onClick={(event) => {
          event.stopPropagation();
          const hidden = shown ? [...view.hidden, id] : view.hidden.filter((other) => other !== id);
          mapActions.setHidden(view.id, hidden);
        }}
      >
        {view.id}
      </button>
    );
  });
}

function classesOf(project: ProjectState, node: Exclude<TreeNode, { kind: 'group' }>) {
  const key = node.id.slice(node.id.indexOf(':') + 1);
  if (node.kind === 'layer') return project.layers.find(({ table }) => table === key)?.classes ?? [];
  if (node.kind === 'raster') return project.rasters.find(({ id }) => String(id) === key)?.classes ?? [];
  return [];
}

function sceneOf(project: ProjectState, node: TreeNode) {
  return node.kind === 'scene' ? project.scenes.find(({ id }) => `scene:${id}` === node.id) : undefined;
}

function problemOfNode(project: ProjectState, node: TreeNode): string | null {
  const scene = sceneOf(project, node);
  return scene?.problem ?? scene?.info?.details.warning ?? null;
}

function unknownCrs(project: ProjectState, node: TreeNode): boolean {
  return sceneOf(project, node)?.info?.crs === 'PIXELS';
}

/** Path and system, as a QGIS user expects them. */
function tooltip(project: ProjectState, node: TreeNode, text: Text): string {
  const key = node.id.slice(node.id.indexOf(':') + 1);
  const scene = sceneOf(project, node);
  if (scene) {
    const crs = scene.info ? `${scene.info.crsName ?? text('layers.unknownCrs')} (${scene.info.crs})` : '';
    return [scene.path, crs, problemOfNode(project, node) ?? ''].filter(Boolean).join('\n');
  }
  if (node.kind === 'layer') {
    const layer = project.layers.find(({ table }) => table === key);
    if (!layer) return '';
    return [`${project.path} · ${layer.table}`, layer.crs, madeWith(layer, text)].filter(Boolean).join('\n');
  }
  const raster = project.rasters.find(({ id }) => String(id) === key);
  return raster ? `${raster.path}\n${raster.crs}` : '';
}
