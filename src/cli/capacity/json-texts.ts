/** What a large file of one JSON object holds, piece by piece: never the whole of it at once. */
export type Piece =
  | { readonly kind: "value"; readonly name: string; readonly value: unknown }
  /** An array begins; its texts follow. */
  | { readonly kind: "texts"; readonly name: string }
  | { readonly kind: "text"; readonly name: string; readonly text: string };

/** It is not JSON, or no object of plain values, objects of them and arrays of texts, or not all of one. */
export class TextsError extends Error {}

/** The members in the order in which the file has them. Throws TextsError. */
export async function* piecesOf(chunks: AsyncIterable<string>): AsyncGenerator<Piece> {
  const tokens = tokensOf(chunks);
  expectMark(await next(tokens), "{");
  for await (const [name, value] of membersOf(tokens)) {
    if (value.mark === "[") yield* textsOf(name, tokens);
    else if (value.mark === "{") yield { kind: "value", name, value: await plainOf(name, tokens) };
    else yield { kind: "value", name, value: plain(name, value) };
  }
  if ((await tokens.next()).done !== true) throw new TextsError("something follows its end");
}

/** Each name with the first token of its value, behind an opening brace and up to the closing one. */
async function* membersOf(
  tokens: AsyncGenerator<Token>,
): AsyncGenerator<readonly [name: string, value: Token]> {
  for (let token = await next(tokens); token.mark !== "}"; token = await next(tokens)) {
    const name = token.mark === "," ? await next(tokens) : token;
    if (typeof name.value !== "string") throw new TextsError("a member has no name");
    expectMark(await next(tokens), ":");
    yield [name.value, await next(tokens)];
  }
}

async function plainOf(of: string, tokens: AsyncGenerator<Token>): Promise<object> {
  const members: [string, unknown][] = [];
  for await (const [name, value] of membersOf(tokens)) members.push([name, plain(of, value)]);
  return Object.fromEntries(members);
}

function plain(name: string, { mark, value }: Token): unknown {
  if (mark === null) return value;
  throw new TextsError(`${name} has another shape`);
}

async function* textsOf(name: string, tokens: AsyncGenerator<Token>): AsyncGenerator<Piece> {
  yield { kind: "texts", name };
  for (let token = await next(tokens); token.mark !== "]"; token = await next(tokens)) {
    const { value } = token.mark === "," ? await next(tokens) : token;
    if (typeof value !== "string") throw new TextsError(`${name} holds more than texts`);
    yield { kind: "text", name, text: value };
  }
}

interface Token {
  /** A mark of JSON's grammar; null: a text, a number or another plain value. */
  readonly mark: string | null;
  readonly value: unknown;
}

async function next(tokens: AsyncGenerator<Token>): Promise<Token> {
  const { done, value } = await tokens.next();
  if (done === true) throw new TextsError("it ends too early");
  return value;
}

function expectMark({ mark }: Token, wanted: string): void {
  if (mark !== wanted) throw new TextsError(`${wanted} is missing`);
}

async function* tokensOf(chunks: AsyncIterable<string>): AsyncGenerator<Token> {
  let rest = "";
  for await (const chunk of chunks) {
    rest += chunk;
    let at = 0;
    for (let end = tokenEnd(rest, at); end !== null; end = tokenEnd(rest, at)) {
      yield read(rest.slice(at, end).trimStart());
      at = end;
    }
    rest = rest.slice(at);
  }
  // A plain value is known to be whole when something follows it.
  if (rest.trim() !== "") throw new TextsError("it ends too early");
}

/** Where the token behind `at` ends; null: more has to come first. */
function tokenEnd(text: string, at: number): number | null {
  let from = at;
  while (from < text.length && " \t\r\n".includes(text.charAt(from))) from += 1;
  const first = text.charAt(from);
  if (first === "") return null;
  if ("{}[],:".includes(first)) return from + 1;
  if (first !== '"') {
    const length = text.slice(from, from + PLAIN_MAX).search(/[\s,\]}]/);
    if (length === -1 && text.length - from >= PLAIN_MAX) throw new TextsError("it is not JSON");
    return length === -1 ? null : from + Math.max(1, length);
  }
  let quote = text.indexOf('"', from + 1);
  while (quote !== -1 && isEscaped(text, quote)) quote = text.indexOf('"', quote + 1);
  if (quote === -1 && text.length - from > TEXT_MAX) throw new TextsError("a text is too long");
  return quote === -1 ? null : quote + 1;
}

function isEscaped(text: string, quote: number): boolean {
  let backslashes = 0;
  while (text.charAt(quote - 1 - backslashes) === "\\") backslashes += 1;
  return backslashes % 2 === 1;
}

function read(token: string): Token {
  if ("{}[],:".includes(token)) return { mark: token, value: null };
  try {
    return { mark: null, value: JSON.parse(token) };
  } catch (error) {
    if (error instanceof SyntaxError) throw new TextsError("it is not JSON");
    throw error;
  }
}

/** Longer than any number or word of JSON's. */
const PLAIN_MAX = 64;
/** A few times the longest signed text. */
const TEXT_MAX = 16_000_000;
