import { XMLParser } from 'fast-xml-parser';
import { Problem } from '../../report/problem.ts';

type Value = string | Node | readonly (string | Node)[] | undefined;
interface Node {
  readonly [name: string]: Value;
}

/** Deeper than any product annotation. */
const deepest = 64;
/** Annotations of the longest products hold some ten thousands. */
const mostTags = 500_000;

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  removeNSPrefix: true,
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  maxNestedTags: deepest,
});

/** An element of a product's XML, read by names. What is missing or no number is a Problem that names the file. */
export class Element {
  readonly file: string;
  private readonly value: string | Node;
  private readonly trail: string;

  constructor(value: string | Node, file: string, trail: string) {
    this.value = value;
    this.file = file;
    this.trail = trail;
  }

  /** Child elements of this name, along a path `a/b`; every step but the last must be single. */
  all(path: string): Element[] {
    const names = path.split('/');
    const last = names.pop()!;
    const parent = names.length === 0 ? this : this.find(names.join('/'));
    if (parent === null || typeof parent.value === 'string') return [];
    const found = own(parent.value, last);
    if (found === undefined) return [];
    const list = Array.isArray(found) ? (found as readonly (string | Node)[]) : [found as string | Node];
    return list.map((value) => new Element(value, this.file, `${parent.trail}/${last}`));
  }

  /** The first element along the path, or null. */
  find(path: string): Element | null {
    let at: Element | null = this;
    for (const name of path.split('/')) at = at?.all(name)[0] ?? null;
    return at;
  }

  need(path: string): Element {
    const found = this.find(path);
    if (found === null) throw this.damaged(`has no ${path} in ${this.trail}`);
    return found;
  }

  attribute(name: string): string | null {
    if (typeof this.value === 'string') return null;
    const value = own(this.value, `@${name}`);
    return typeof value === 'string' ? value : null;
  }

  get text(): string {
    if (typeof this.value === 'string') return this.value.trim();
    const text = own(this.value, '#text');
    return typeof text === 'string' ? text.trim() : '';
  }

  /** The number at `path`. */
  number(path: string): number {
    const element = this.need(path);
    const value = element.text === '' ? Number.NaN : Number(element.text);
    if (!Number.isFinite(value)) throw this.damaged(`holds no number in ${element.trail}`);
    return value;
  }

  /** The number at `path`, above 0. */
  positive(path: string): number {
    const value = this.number(path);
    if (!(value > 0)) throw this.damaged(`says ${path} is ${value}`);
    return value;
  }

  /** The number at `path`, from -bound to bound. */
  within(path: string, bound: number): number {
    const value = this.number(path);
    if (Math.abs(value) > bound) throw this.damaged(`says ${path} is ${value}`);
    return value;
  }

  /** The numbers at `path`, separated by white space. */
  numbers(path: string): Float64Array {
    const element = this.need(path);
    const words = element.text === '' ? [] : element.text.split(/\s+/);
    const values = Float64Array.from(words, Number);
    if (values.some((value) => !Number.isFinite(value)))
      throw this.damaged(`holds something else than numbers in ${element.trail}`);
    return values;
  }

  /** Seconds since 1970 (UTC) of an annotation's time, exact to the microsecond. */
  seconds(path: string): number {
    const { text } = this.need(path);
    const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z?$/.exec(text);
    const whole = match === null ? Number.NaN : Date.parse(`${match[1]}Z`) / 1000;
    if (!Number.isFinite(whole)) throw this.damaged(`holds no time in ${this.trail}/${path}`);
    return whole + Number(match![2] ?? 0);
  }

  damaged(what: string): Problem {
    return new Problem(
      'scene/corrupt',
      `${this.file} ${what}.`,
      'Download the product again; nothing may be changed in its folder.',
    );
  }
}

function own(node: Node, name: string): Value {
  return Object.hasOwn(node, name) ? node[name] : undefined;
}

/** The root element called `root` of an XML text; `file` is named in Problems. Entities are not expanded. */
export function parseXml(text: string, file: string, root: string): Element {
  let parsed: Node;
  try {
    requireParsable(text);
    parsed = parser.parse(text) as Node;
  } catch (cause) {
    throw new Problem(
      'scene/corrupt',
      `${file} is no sound XML (${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}).`,
      'Download the product again.',
      cause,
    );
  }
  const found = new Element(parsed, file, '').find(root);
  if (found === null)
    throw new Problem('scene/corrupt', `${file} has no ${root} in it.`, 'Download the product again.');
  return found;
}

/** Throws `RangeError` for what is no XML at all, and for more tags than are parsed in moments. */
function requireParsable(text: string): void {
  let tags = 0;
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at + 1))
    if (++tags > mostTags) throw new RangeError(`more than ${mostTags} tags`);
  // Characters that XML 1.0 forbids; a terminal would obey some of them.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\0-\x08\x0b\x0c\x0e-\x1f]/.test(text)) throw new RangeError('control characters in it');
}
