import { commandOf, runCommand } from '../commands/commands.ts';
import { keysText } from '../commands/keys.ts';
import { Icon, type IconName } from '../parts/Icon.tsx';
import { host } from '../state/project.ts';
import { session } from '../state/session.ts';
import { useText } from '../texts/use-text.ts';

const tools: readonly (readonly [command: string, icon: IconName] | null)[] = [
  ['layer.addScene', 'open'],
  null,
  ['edit.undo', 'undo'],
  ['edit.redo', 'redo'],
  null,
  ['view.pan', 'pan'],
  ['view.zoomIn', 'zoomIn'],
  ['view.zoomOut', 'zoomOut'],
  ['view.zoomFull', 'full'],
  null,
  ['view.identify', 'identify'],
  ['view.measureLine', 'measure'],
  ['edit.select', 'select'],
  ['edit.split', 'split'],
  ['processing.extent', 'box'],
  null,
  ['view.new', 'newView'],
  ['view.link', 'link'],
  ['view.swipe', 'swipe'],
  ['view.flicker', 'eye'],
];

export function ToolBar() {
  const text = useText();
  // What tools may do and which is pressed follows both.
  host.use((value) => value.project);
  session.use((value) => `${value.tool} ${value.linked} ${value.swipe} ${value.views.length} ${value.node}`);
  return (
    <div className="tool-bar" role="toolbar" aria-label={text('tools.label')}>
      {tools.map((tool, index) => {
        // biome-ignore lint/suspicious/noArrayIndexKey: a gap is its place
        if (!tool) return <span key={index} className="gap" />;
        const [id, icon] = tool;
        const command = commandOf(id);
        const label = text(command.label);
        const about = command.about?.();
        const full = about ? `${label}: ${about}` : label;
        return (
          <button
            key={id}
            type="button"
            className="plain"
            aria-label={label}
            aria-pressed={command.checked?.()}
            disabled={!(command.enabled?.() ?? true)}
            title={command.keys ? `${full} (${keysText(command.keys[0]!)})` : full}
            onClick={() => runCommand(id)}
          >
            <Icon name={icon} />
          </button>
        );
      })}
    </div>
  );
}
