import { beforeAll, describe, expect, it } from 'vitest';
import type { Command } from '../../../src/renderer/commands/commands.ts';

interface Keys {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

describe('the commands', () => {
  let commands: readonly Command[];
  let keysOf: (event: Keys) => string;
  beforeAll(async () => {
    // The screen asks its window for the desktop's bridge when it loads; here is none, and no page.
    (globalThis as { window?: unknown }).window ??= new EventTarget();
    ({ commands } = await import('../../../src/renderer/commands/commands.ts'));
    const keys = await import('../../../src/renderer/commands/keys.ts');
    keysOf = keys.keysOf as unknown as (event: Keys) => string;
  });

  it('have each id and each shortcut once', () => {
    const ids = commands.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const keys = commands.flatMap((command) => command.keys ?? []);
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
  });

  it('have the shortcuts that QGIS users know', () => {
    const known: Record<string, string> = {
      'Ctrl+N': 'project.new',
      'Ctrl+O': 'project.open',
      'Ctrl+S': 'project.save',
      'Ctrl+Shift+S': 'project.saveAs',
      'Ctrl+Z': 'edit.undo',
      'Ctrl+Shift+Z': 'edit.redo',
      'Ctrl+Shift+F': 'view.zoomFull',
      'Ctrl+Shift+I': 'view.identify',
      'Ctrl+Shift+M': 'view.measureLine',
      'Ctrl+Shift+J': 'view.measureArea',
      'Ctrl+M': 'view.new',
      'Ctrl+B': 'view.bookmark',
      'Ctrl+D': 'layer.remove',
      'Ctrl+K': 'help.palette',
      'Ctrl+Shift+R': 'layer.addScene',
      F5: 'view.refresh',
      F6: 'layer.table',
      F11: 'view.fullScreen',
      Escape: 'tool.cancel',
    };
    for (const [keys, id] of Object.entries(known))
      expect(commands.find((command) => command.keys?.includes(keys))?.id, keys).toBe(id);
  });

  it('are reached by the keys that they show', () => {
    const event = (key: string, held: Partial<Keys> = {}): Keys => ({
      key,
      ctrlKey: false,
      metaKey: false,
      altKey: false,
      shiftKey: false,
      ...held,
    });
    expect(keysOf(event('z', { ctrlKey: true }))).toBe('Ctrl+Z');
    expect(keysOf(event('Z', { ctrlKey: true, shiftKey: true }))).toBe('Ctrl+Shift+Z');
    // Plus is typed with Shift on some keyboards and without on others.
    expect(keysOf(event('+', { ctrlKey: true, shiftKey: true }))).toBe('Ctrl++');
    expect(keysOf(event('=', { ctrlKey: true }))).toBe('Ctrl++');
    expect(keysOf(event('ArrowLeft', { altKey: true }))).toBe('Alt+ArrowLeft');
    expect(keysOf(event('F6'))).toBe('F6');
  });
});
