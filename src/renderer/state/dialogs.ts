import type { ProblemShape } from '../../main/rpc/base.ts';
import { createStore } from './store.ts';

export interface FileQuestion {
  kind:
    | 'open-scenes'
    | 'open-bands'
    | 'open-project'
    | 'new-project'
    | 'save-project'
    | 'export'
    | 'relink'
    | 'folder';
  suggested: string | null;
  answer(paths: string[] | null): void;
}

export interface Question {
  title: string;
  text: string;
  /** Choices besides Cancel, the default first. */
  choices: { id: string; label: string; danger?: boolean }[];
  /** What stands in Cancel's place. */
  dismiss?: string;
  answer(id: string | null): void;
}

export interface ShownProblem extends ProblemShape {
  /** A failed job that may go on where it was. */
  job?: number;
}

/** Windows that ask. One of each at most. */
export const dialogs = createStore({
  problem: null as ShownProblem | null,
  file: null as FileQuestion | null,
  question: null as Question | null,
  palette: false,
  /** Layer to be exported. */
  export: null as string | null,
  packs: false,
  /** What the chosen system is for. */
  crs: null as { current: string; choose(crs: string): void } | null,
  repair: false,
  about: false,
  difference: false,
  shift: false,
});

/** Asks and waits. */
export function askUser(question: Omit<Question, 'answer'>): Promise<string | null> {
  return new Promise((resolve) => {
    dialogs.set({
      question: {
        ...question,
        answer(id) {
          dialogs.set({ question: null });
          resolve(id);
        },
      },
    });
  });
}
