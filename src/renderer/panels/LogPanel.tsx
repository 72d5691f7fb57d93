import { useEffect, useRef } from 'react';
import { host } from '../state/project.ts';
import { useText } from '../texts/use-text.ts';

export function LogPanel() {
  const lines = host.use((value) => value.log);
  const text = useText();
  const end = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new line scrolls
  useEffect(() => {
    end.current?.scrollIntoView({ block: 'nearest' });
  }, [lines]);
  return (
    <div className="panel log" role="log" aria-label={text('panel.log')}>
      {lines.length === 0 && <p className="quiet">{text('log.empty')}</p>}
      {lines.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines only come at the end
        <p key={index} className={line.level}>
          <time>{line.time.slice(11, 19)}</time> {line.text}
        </p>
      ))}
      <div ref={end} />
    </div>
  );
}
