/** Panels by name, shown on request; the layout fills this in when it stands. */
export type PanelName = 'layers' | 'styling' | 'scene' | 'prompts' | 'run' | 'jobs' | 'table' | 'log';

export const layout = {
  show: (_panel: PanelName): void => {},
  reset: (): void => {},
};
