import type { ProjectState, TreeNode } from '../../main/rpc/project.ts';

/** The tree with the node of `id` changed. */
export function changeNode(
  tree: readonly TreeNode[],
  id: string,
  change: (node: TreeNode) => TreeNode,
): TreeNode[] {
  return tree.map((node) => {
    if (node.id === id) return change(node);
    return node.kind === 'group' ? { ...node, children: changeNode(node.children, id, change) } : node;
  });
}

export function findNode(tree: readonly TreeNode[], id: string): TreeNode | null {
  for (const node of tree) {
    if (node.id === id) return node;
    const inside = node.kind === 'group' ? findNode(node.children, id) : null;
    if (inside) return inside;
  }
  return null;
}

/** The tree without the node; its children, if it is a group, stay in its place. */
export function withoutNode(tree: readonly TreeNode[], id: string): TreeNode[] {
  return tree.flatMap((node) => {
    if (node.id === id) return node.kind === 'group' ? node.children : [];
    return [node.kind === 'group' ? { ...node, children: withoutNode(node.children, id) } : node];
  });
}

/**
 * The tree with the node moved: `before` another one, or `into` a group (at its top). A group does not move into
 * itself, and nothing into what is no group: the tree stays as it is.
 */
export function moveNode(
  tree: readonly TreeNode[],
  id: string,
  target: { before: string } | { into: string } | 'end',
): TreeNode[] {
  const moved = findNode(tree, id);
  if (!moved) return [...tree];
  const at = target === 'end' ? null : 'before' in target ? target.before : target.into;
  if (at === id || (at !== null && moved.kind === 'group' && findNode(moved.children, at))) return [...tree];
  const rest = cut(tree, id);
  if (target === 'end') return [...rest, moved];
  const goal = at === null ? null : findNode(rest, at);
  if (!goal || ('into' in target && goal.kind !== 'group')) return [...tree];
  return place(rest, moved, target);
}

function cut(tree: readonly TreeNode[], id: string): TreeNode[] {
  return tree
    .filter((node) => node.id !== id)
    .map((node) => (node.kind === 'group' ? { ...node, children: cut(node.children, id) } : node));
}

function place(
  tree: readonly TreeNode[],
  moved: TreeNode,
  target: { before: string } | { into: string },
): TreeNode[] {
  return tree.flatMap((node): TreeNode[] => {
    const own: TreeNode =
      node.kind !== 'group'
        ? node
        : 'into' in target && node.id === target.into
          ? { ...node, children: [moved, ...node.children] }
          : { ...node, children: place(node.children, moved, target) };
    return 'before' in target && node.id === target.before ? [moved, own] : [own];
  });
}

/** Id of the group that holds the node directly; null at the top. */
export function groupOf(tree: readonly TreeNode[], id: string): string | null {
  for (const node of tree) {
    if (node.kind !== 'group') continue;
    if (node.children.some((child) => child.id === id)) return node.id;
    const inside = groupOf(node.children, id);
    if (inside !== null) return inside;
  }
  return null;
}

/** The tree with the node one place up (-1) or down (1) among its siblings; at the end it stays. */
export function stepNode(tree: readonly TreeNode[], id: string, by: -1 | 1): TreeNode[] {
  const at = tree.findIndex((node) => node.id === id);
  if (at < 0)
    return tree.map((node) =>
      node.kind === 'group' ? { ...node, children: stepNode(node.children, id, by) } : node,
    );
  const next = [...tree];
  const [moved] = next.splice(at, 1);
  next.splice(Math.max(0, Math.min(next.length, at + by)), 0, moved!);
  return next;
}

/** What a node is called. */
export function nodeName(project: ProjectState, node: TreeNode): string {
  if (node.kind === 'group') return node.name;
  const key = node.id.slice(node.id.indexOf(':') + 1);
  if (node.kind === 'layer') return project.layers.find(({ table }) => table === key)?.name ?? key;
  if (node.kind === 'scene') return project.scenes.find(({ id }) => String(id) === key)?.name ?? key;
  return project.rasters.find(({ id }) => String(id) === key)?.name ?? key;
}

/** Ids of the nodes in the order they are listed, closed groups' children left out. */
export function listedNodes(tree: readonly TreeNode[]): string[] {
  return tree.flatMap((node) => [
    node.id,
    ...(node.kind === 'group' && node.open ? listedNodes(node.children) : []),
  ]);
}
