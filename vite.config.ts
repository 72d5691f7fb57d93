import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** Builds the screen. Nothing is inlined: the page may only load scripts from files of its own. */
export default defineConfig({
  root: 'src/renderer',
  base: '/',
  plugins: [react()],
  build: {
    outDir: '../../dist/renderer',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2000,
  },
});
