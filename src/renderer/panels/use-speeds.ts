import { useEffect, useRef, useState } from 'react';
import type { Provider } from '../../main/rpc/runs.ts';
import { attempt } from '../connection/attempt.ts';
import { ask } from '../connection/client.ts';
import { host } from '../state/project.ts';

/** Milliseconds that nothing else begins before the device is measured unasked. */
const quiet = 1500;
/** Measurements that gave way to other work are begun again, as often as this. */
const mostTries = 5;
/** Whose sessions begin at once and take little memory: it alone is measured unasked. */
const small = 'starter';

/** The devices that can run a pack and their speed, and `measure` for the one chosen. `idle`: a run could begin now. */
export function useSpeeds(pack: string, provider: string, idle: boolean) {
  const [providers, setProviders] = useState<readonly Provider[]>([]);
  const [measuring, setMeasuring] = useState(false);
  const measures = useRef(false);
  const [tries, setTries] = useState(0);
  const shown = useRef(pack);
  shown.current = pack;

  // The panel may stand before the window has reached the host.
  const connected = host.use(({ connection }) => connection === 'open');
  useEffect(() => {
    if (!connected) return;
    let current = true;
    void ask.runs.providers({ pack }).then(
      (found) => current && setProviders(found),
      () => {},
    );
    return () => {
      current = false;
    };
  }, [pack, connected]);

  const measure = async (signal?: AbortSignal) => {
    if (measures.current) return;
    measures.current = true;
    setMeasuring(true);
    const asked = ask.runs.measure({ pack, provider }, { signal });
    // Nobody asked for it: if it fails, the button says why.
    const measured = await (signal ? asked.catch(() => null) : attempt(asked));
    measures.current = false;
    setMeasuring(false);
    // Another pack may have been chosen meanwhile.
    if (measured && shown.current === pack)
      setProviders((all) => all.map((one) => (one.name === measured.name ? measured : one)));
    else if (!measured && signal) setTries((count) => count + 1);
  };
  const chosen = providers.find(({ name }) => name === provider);
  const unasked =
    idle && tries < mostTries && pack === small && chosen?.name === 'cpu' && chosen.windowsPerSecond === null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it is wanted and nothing else is going on
  useEffect(() => {
    if (!unasked) return;
    const leaving = new AbortController();
    const timer = setTimeout(() => void measure(leaving.signal), quiet);
    return () => {
      clearTimeout(timer);
      leaving.abort();
    };
  }, [unasked, tries]);

  return { providers, chosen, measuring, measure };
}
