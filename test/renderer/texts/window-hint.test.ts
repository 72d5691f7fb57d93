import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { textNow } from '../../../src/renderer/texts/catalogue.ts';
import { windowHint } from '../../../src/renderer/texts/window-hint.ts';

const root = path.resolve(import.meta.dirname, '../../..');

/** Hints of the engine and the host that speak of options, as they stand in the code. */
function hintsWithOptions(): string[] {
  const files = globSync('src/{worker,main}/**/*.ts', { cwd: root }).filter(
    (file) => !/src\/main\/(cli|serve\.ts|start\.ts|shell)/.test(file),
  );
  return files.flatMap((file) =>
    [...readFileSync(path.join(root, file), 'utf8').matchAll(/'([A-Z][^'\n]*\s--[a-z][^'\n]*)'/g)].map(
      ([, hint]) => hint!,
    ),
  );
}

describe('hints in the window', () => {
  it('never speak of options of the command line', () => {
    const hints = hintsWithOptions();
    expect(hints.length).toBeGreaterThan(15);
    for (const hint of hints) {
      if (hint.includes('--root')) continue;
      const told = windowHint({ code: 'any/thing', message: '', hint }, textNow);
      expect(told).not.toMatch(/--[a-z]|landscribe [a-z]/);
      expect(told).not.toBe('');
    }
  });

  it('say what to do in the window where it is known', () => {
    const told = (code: string, hint: string) => windowHint({ code, message: '', hint }, textNow);
    expect(told('output/exists', 'Give --overwrite.')).toBe('Choose another folder or name.');
    expect(told('segment/memory', 'Raise --memory.')).toMatch(/smaller extent/);
    expect(told('disk/full', 'Free some space: the same command resumes.')).toMatch(/resume/);
    expect(told('internal', 'This is a mistake: run again with --debug.')).toMatch(/Log panel/);
  });

  it('are left as they are where they suit the window', () => {
    for (const hint of ['Check its permissions.', 'Start it with --root FOLDER to allow another one.', ''])
      expect(windowHint({ code: 'file/x', message: '', hint }, textNow)).toBe(hint);
  });
});
