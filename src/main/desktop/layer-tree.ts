import type { TreeNode } from '../rpc/project.ts';

/** Ids of what is in the project, in the order in which it came. */
export interface TreeContents {
  layers: readonly string[];
  rasters: readonly string[];
  scenes: readonly string[];
  /** Rasters that begin visible. */
  shown?: ReadonlySet<string>;
}

const kinds = ['layer', 'raster', 'scene'] as const;

/**
 * The stored tree as the project is now: what has left it goes, groups stay, and what is new comes above what is of its
 * kind, polygons before rasters before scenes. Rasters of a run begin hidden, for their polygons show the same; a
 * difference has none.
 */
export function composeTree(stored: readonly TreeNode[], contents: TreeContents): TreeNode[] {
  const present = new Set([...contents.layers, ...contents.rasters, ...contents.scenes]);
  const seen = new Set<string>();
  const keep = (nodes: readonly TreeNode[]): TreeNode[] =>
    nodes.flatMap((node): TreeNode[] => {
      if (seen.has(node.id)) return [];
      if (node.kind !== 'group' && !present.has(node.id)) return [];
      seen.add(node.id);
      return [node.kind === 'group' ? { ...node, children: keep(node.children) } : node];
    });
  const tree = keep(stored);
  for (const kind of kinds) {
    for (const id of contents[`${kind}s`]) {
      if (seen.has(id)) continue;
      const node: TreeNode = {
        kind,
        id,
        visible: kind !== 'raster' || (contents.shown?.has(id) ?? false),
        opacity: 1,
        open: kind === 'layer' || (contents.shown?.has(id) ?? false),
      };
      tree.splice(placeFor(tree, kind), 0, node);
    }
  }
  return tree;
}

/** Above the first of its kind, or of a kind that lies below it. */
function placeFor(tree: readonly TreeNode[], kind: (typeof kinds)[number]): number {
  const below = kinds.slice(kinds.indexOf(kind)) as readonly string[];
  const lowest = (node: TreeNode): string[] =>
    node.kind === 'group' ? node.children.flatMap(lowest) : [node.kind];
  const place = tree.findIndex((node) => {
    const inside = lowest(node);
    return inside.length > 0 && inside.every((each) => below.includes(each));
  });
  return place < 0 ? tree.length : place;
}
