export { nextColour } from '../../worker/classmap/palette.ts';
