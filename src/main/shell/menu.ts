import type { MenuItemConstructorOptions } from 'electron';

/** Commands of the screen by their ids; its own menu has all of them, this is what systems want in theirs. */
const menus: Record<string, readonly (readonly [label: string, id: string])[]> = {
  Project: [
    ['New project…', 'project.new'],
    ['Open project…', 'project.open'],
    ['Add scene…', 'layer.addScene'],
    ['Save as…', 'project.saveAs'],
  ],
  Processing: [
    ['Preview', 'processing.preview'],
    ['Run', 'processing.run'],
  ],
  Help: [
    ['All commands…', 'help.palette'],
    ['About', 'help.about'],
  ],
};

/** The system's menu. Shortcuts are the screen's: here they would be taken from it. */
export function menuTemplate(
  platform: NodeJS.Platform,
  send: (command: string) => void,
): MenuItemConstructorOptions[] {
  const [project, ...rest] = Object.entries(menus).map(([label, entries]) => ({
    label,
    submenu: entries.map(([text, id]) => ({ label: text, click: () => send(id) })),
  }));
  const own: MenuItemConstructorOptions[] = platform === 'darwin' ? [{ role: 'appMenu' }] : [];
  return [...own, project!, { role: 'editMenu' }, ...rest, { role: 'windowMenu' }];
}
