import { bridge } from '../connection/client.ts';
import { dialogs, type FileQuestion } from '../state/dialogs.ts';
import { type TextKey, textNow } from '../texts/catalogue.ts';

const scenes = ['tif', 'tiff', 'png', 'jpg', 'jpeg', 'jp2', 'zip', 'safe', 'vrt'];
const titles: Record<FileQuestion['kind'], TextKey> = {
  'open-scenes': 'file.openScenes',
  'open-bands': 'file.openBands',
  'open-project': 'file.openProject',
  'new-project': 'file.newProject',
  'save-project': 'file.saveProject',
  export: 'file.export',
  relink: 'file.relink',
  folder: 'file.folder',
};

/** Paths on the host's machine, by the system's dialog or our own; null when dismissed. */
export function chooseFiles(
  kind: FileQuestion['kind'],
  suggested: string | null = null,
): Promise<string[] | null> {
  const saving = kind === 'new-project' || kind === 'save-project' || kind === 'export';
  if (bridge) {
    return bridge.chooseFiles({
      kind: saving ? 'save' : kind === 'folder' ? 'folder' : 'open',
      title: textNow(titles[kind]),
      multiple: kind === 'open-scenes' || kind === 'open-bands',
      filters: kind.endsWith('project')
        ? [{ name: 'GeoPackage', extensions: ['gpkg'] }]
        : kind === 'open-scenes' || kind === 'open-bands'
          ? [{ name: textNow('file.scenes'), extensions: scenes }]
          : [],
      suggested,
    });
  }
  return new Promise((resolve) => {
    dialogs.set({
      file: {
        kind,
        suggested,
        answer(paths) {
          dialogs.set({ file: null });
          resolve(paths);
        },
      },
    });
  });
}

export { titles as fileTitles };
