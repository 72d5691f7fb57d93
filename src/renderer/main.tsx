import { createRoot } from 'react-dom/client';
import { watchHost } from './connection/watch.ts';
import { Screen } from './layout/Screen.tsx';

watchHost();
createRoot(document.getElementById('screen')!).render(<Screen />);
