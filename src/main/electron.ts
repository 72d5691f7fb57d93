import { startShell } from './shell/shell.ts';

// Electron's own entry: everything it can do is in the shell.
startShell();
