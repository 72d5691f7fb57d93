import { useSyncExternalStore } from 'react';

/** A value that panels and maps share; replaced, never changed in place. */
export interface Store<Value> {
  get(): Value;
  set(change: Partial<Value> | ((value: Value) => Partial<Value>)): void;
  /** Returns how to stop listening. */
  subscribe(listener: () => void): () => void;
  /** A part of the value, in a component; compared by identity, so take parts, do not build them. */
  use<Part>(part: (value: Value) => Part): Part;
}

export function createStore<Value extends object>(initial: Value): Store<Value> {
  let value = initial;
  const listeners = new Set<() => void>();
  const subscribe = (listener: () => void) => {
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  };
  return {
    get: () => value,
    set(change) {
      value = { ...value, ...(typeof change === 'function' ? change(value) : change) };
      for (const listener of [...listeners]) listener();
    },
    subscribe,
    use: (part) => useSyncExternalStore(subscribe, () => part(value)),
  };
}
