import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TreeNode } from '../../../src/main/rpc/project.ts';
import {
  changeNode,
  findNode,
  groupOf,
  listedNodes,
  moveNode,
  stepNode,
  withoutNode,
} from '../../../src/renderer/commands/layer-tree.ts';

type Group = Extract<TreeNode, { kind: 'group' }>;
const layer = (id: string): TreeNode => ({ kind: 'layer', id, visible: true, opacity: 1, open: false });
const group = (id: string, children: TreeNode[], open = true): Group => ({
  kind: 'group',
  id,
  name: id,
  open,
  visible: true,
  children,
});

/** Nested lists become a tree whose ids are numbered in the order of drawing. */
type Shape = null | Shape[];
const shape: fc.Arbitrary<Shape[]> = fc.array(
  fc.letrec<{ node: Shape }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constant(null),
      fc.array(tie('node'), { maxLength: 4 }),
    ),
  })).node,
  { minLength: 1, maxLength: 5 },
);
function grow(shapes: readonly Shape[], next = { number: 0 }): TreeNode[] {
  return shapes.map((own) => {
    const id = `n${next.number++}`;
    return own === null ? layer(id) : group(id, grow(own, next));
  });
}
const everyId = (tree: readonly TreeNode[]): string[] =>
  tree.flatMap((node) => [node.id, ...(node.kind === 'group' ? everyId(node.children) : [])]);

describe('the layer tree', () => {
  it('loses and doubles nothing by any move, and groups never hold themselves', () => {
    fc.assert(
      fc.property(
        shape,
        fc.nat(),
        fc.nat(),
        fc.constantFrom('before', 'into', 'end'),
        (shapes, a, b, how) => {
          const tree = grow(shapes);
          const before = structuredClone(tree);
          const ids = everyId(tree);
          const moved = ids[a % ids.length]!;
          const at = ids[b % ids.length]!;
          const after = moveNode(
            tree,
            moved,
            how === 'end' ? 'end' : how === 'before' ? { before: at } : { into: at },
          );
          expect(tree).toEqual(before);
          expect(everyId(after).sort()).toEqual([...ids].sort());
          const node = findNode(after, moved)!;
          expect(node).toEqual(findNode(tree, moved));
          const inItself = findNode([findNode(tree, moved)!], at) !== null;
          if (how === 'end') expect(after.at(-1)!.id).toBe(moved);
          else if (inItself || (how === 'into' && findNode(tree, at)!.kind !== 'group'))
            expect(after).toEqual(tree);
          else if (how === 'into') expect((findNode(after, at) as Group).children[0]!.id).toBe(moved);
          else expect(groupOf(after, moved)).toBe(groupOf(after, at));
        },
      ),
    );
  });

  it('a step up undoes a step down, except at an end', () => {
    fc.assert(
      fc.property(shape, fc.nat(), (shapes, a) => {
        const tree = grow(shapes);
        const ids = everyId(tree);
        const id = ids[a % ids.length]!;
        const down = stepNode(tree, id, 1);
        expect(everyId(down).sort()).toEqual([...ids].sort());
        expect(groupOf(down, id)).toBe(groupOf(tree, id));
        const siblings = (of: readonly TreeNode[]) => {
          const parent = groupOf(of, id);
          return (parent === null ? of : (findNode(of, parent) as Group).children).map((node) => node.id);
        };
        if (siblings(tree).at(-1) === id) expect(down).toEqual(tree);
        else {
          expect(siblings(down).indexOf(id)).toBe(siblings(tree).indexOf(id) + 1);
          expect(stepNode(down, id, -1)).toEqual(tree);
        }
      }),
    );
  });

  it('keeps the children of a removed group in its place', () => {
    const tree = [layer('a'), group('g', [layer('b'), layer('c')]), layer('d')];
    expect(everyId(withoutNode(tree, 'g'))).toEqual(['a', 'b', 'c', 'd']);
    expect(everyId(withoutNode(tree, 'c'))).toEqual(['a', 'g', 'b', 'd']);
  });

  it('lists what is unfolded', () => {
    const tree = [group('g', [layer('b')], false), group('h', [layer('c')])];
    expect(listedNodes(tree)).toEqual(['g', 'h', 'c']);
  });

  it('changes one node, however deep', () => {
    const tree = [group('g', [layer('b'), layer('c')])];
    const after = changeNode(tree, 'c', (node) => ({ ...node, visible: false }));
    expect(findNode(after, 'c')!.visible).toBe(false);
    expect(findNode(after, 'b')!.visible).toBe(true);
    expect(findNode(tree, 'c')!.visible).toBe(true);
  });
});
