import { realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { Problem } from '../../worker/report/problem.ts';

/**
 * Which files of the machine a door may name. Links are followed before comparing, so none leads out of a root.
 */
export class AllowedPaths {
  /** Null: everything that the user's own account may. */
  readonly roots: readonly string[] | null;

  private constructor(roots: readonly string[] | null) {
    this.roots = roots;
  }

  /** Roots that do not exist are left out. */
  static async of(roots: readonly string[] | null): Promise<AllowedPaths> {
    if (roots === null) return new AllowedPaths(null);
    const real = await Promise.all(roots.map((root) => realpath(path.resolve(root)).catch(() => null)));
    return new AllowedPaths([...new Set(real.filter((root) => root !== null))]);
  }

  /** The path, absolute; throws `place/outside` where it leads out of the roots. A file need not exist yet. */
  async check(asked: string): Promise<string> {
    const absolute = path.resolve(asked);
    if (asked.includes('\0') || !path.isAbsolute(asked))
      throw new Problem(
        'place/not-absolute',
        `${asked}: is not a whole path.`,
        'Give the path from the root.',
      );
    if (this.roots === null) return absolute;
    const real = await realOrParent(absolute);
    if (!this.roots.some((root) => isInside(root, real)))
      throw new Problem(
        'place/outside',
        `${absolute}: lies outside the folders that this server may use.`,
        'Start it with --root FOLDER to allow another one.',
      );
    return absolute;
  }

  /**
   * The path of a scene as `check` gives it, a product's manifest as its folder. Of a stack (`A.tif+B.tif`) every file is
   * checked; those without a folder lie beside the first.
   */
  async checkScene(asked: string): Promise<string> {
    const isOne = !asked.includes('+') || (await stat(asked).catch(() => null)) !== null;
    if (isOne) {
      const file = await this.check(asked);
      return path.basename(file) === 'manifest.safe' ? path.dirname(file) : file;
    }
    const [first, ...others] = asked.split('+');
    const folder = path.dirname(first!);
    const files = [first!, ...others.map((file) => (file === '' ? file : path.resolve(folder, file)))];
    return (await Promise.all(files.map((file) => this.check(file)))).join('+');
  }

  async allows(asked: string): Promise<boolean> {
    return this.check(asked).then(
      () => true,
      () => false,
    );
  }
}

/** The path with its links followed as far as it exists. */
async function realOrParent(absolute: string): Promise<string> {
  const rest: string[] = [];
  for (let at = absolute; ; at = path.dirname(at)) {
    try {
      return path.join(await realpath(at), ...rest);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || path.dirname(at) === at) return absolute;
      rest.unshift(path.basename(at));
    }
  }
}

export function isInside(folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return (
    relative === '' ||
    (!relative.startsWith(`..${path.sep}`) && relative !== '..' && !path.isAbsolute(relative))
  );
}
