import { mapActions } from '../map/index.ts';
import { commands } from './commands.ts';

const mac = /mac/i.test(navigator.platform);
const names: Record<string, string> = { ' ': 'Space', '+': '+', '=': '+' };

/** The keys of an event as commands write them. */
export function keysOf(event: KeyboardEvent): string {
  const parts: string[] = [];
  if (mac ? event.metaKey : event.ctrlKey) parts.push('Ctrl');
  if (event.altKey) parts.push('Alt');
  const name = names[event.key] ?? (event.key.length === 1 ? event.key.toUpperCase() : event.key);
  if (event.shiftKey && name !== '+') parts.push('Shift');
  parts.push(name);
  return parts.join('+');
}

/** How keys are shown: as the platform writes them. */
export function keysText(keys: string): string {
  const text = keys
    .replace('ArrowLeft', '←')
    .replace('ArrowRight', '→')
    .replace('Escape', 'Esc')
    .replace('Delete', 'Del');
  return mac
    ? text
        .replace(/Ctrl\+?/, '⌘')
        .replace(/Shift\+?/, '⇧')
        .replace(/Alt\+?/, '⌥')
    : text;
}

/** Whether keys belong to what is being typed or asked. */
function taken(event: KeyboardEvent, keys: string): boolean {
  const target = event.target as HTMLElement;
  if (document.querySelector('dialog[open]')) return true;
  const typing = target.matches(
    'input:not([type=range]):not([type=checkbox]):not([type=radio]), textarea, select',
  );
  const plain = !keys.startsWith('Ctrl+') && !/^(F\d+|Alt\+.*)$/.test(keys);
  return typing && (plain || /^Ctrl\+(Z|Shift\+Z|Y|A|C|V|X)$/.test(keys));
}

/** Lets keys start commands and move the map; returns how to stop. */
export function listenToKeys(): () => void {
  const byKeys = new Map(
    commands.flatMap((command) => (command.keys ?? []).map((keys) => [keys, command] as const)),
  );
  const listen = (event: KeyboardEvent) => {
    if (event.defaultPrevented) return;
    const keys = keysOf(event);
    if (taken(event, keys)) return;
    const command = byKeys.get(keys);
    if (command) {
      event.preventDefault();
      // What is typed stands before the command looks at it.
      if ((event.target as HTMLElement).matches('input')) (event.target as HTMLElement).blur();
      if (command.enabled?.() ?? true) void command.run();
      return;
    }
    if (!(event.target as HTMLElement).closest('.map-canvas')) return;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    mapActions.panBy(step[0]!, step[1]!);
  };
  window.addEventListener('keydown', listen);
  return () => window.removeEventListener('keydown', listen);
}
