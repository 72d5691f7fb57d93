import { beforeEach, describe, expect, it } from 'vitest';
import type { ProjectState } from '../../../src/main/rpc/project.ts';
import { host, receive, showAhead } from '../../../src/renderer/state/project.ts';

const word = (path: string, name: string, revision: number) => ({ path, name, revision }) as ProjectState;

describe('changes on their way to the host', () => {
  beforeEach(() => receive(null));

  it('stay shown whatever the host says meanwhile, and no longer', () => {
    receive(word('a', 'old', 1));
    const first = showAhead({ name: 'first' });
    const second = showAhead({ name: 'second' });
    expect(host.get().project?.name).toBe('second');
    receive(word('a', 'first', 2));
    expect(host.get().project).toEqual(word('a', 'second', 2));
    first();
    receive(word('a', 'first', 3));
    expect(host.get().project?.name).toBe('second');
    second();
    receive(word('a', 'kept', 4));
    expect(host.get().project).toEqual(word('a', 'kept', 4));
  });

  it('are of the project that was open', () => {
    receive(word('a', 'old', 1));
    const settle = showAhead({ name: 'new' });
    receive(word('b', 'another', 2));
    expect(host.get().project?.name).toBe('another');
    receive(null);
    expect(host.get().project).toBeNull();
    settle();
  });

  it('need a project', () => {
    showAhead({ name: 'x' })();
    expect(host.get().project).toBeNull();
  });
});
