/** An error message of Go's JSON decoder, which appears in events. */
export class GoJsonError extends Error {}

/**
 * Parses JSON.
 *
 * @throws GoJsonError with the message of Go's encoding/json if the text is malformed
 */
export function parseGoJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new GoJsonError(new Scanner(text).errorMessage());
  }
}

/** Finds the first character that Go's scanner rejects, and the scanner's state there. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  errorMessage(): string {
    try {
      this.#value();
      this.#space();
      if (this.#at < this.#text.length) this.#reject("after top-level value");
    } catch (error) {
      if (error instanceof GoJsonError) return error.message;
      throw error;
    }
    return "invalid JSON";
  }

  #value(): void {
    this.#space();
    const first = this.#text[this.#at];
    if (first === "{") this.#object();
    else if (first === "[") this.#array();
    else if (first === '"') this.#string();
    else if (first === "t") this.#literal("true");
    else if (first === "f") this.#literal("false");
    else if (first === "n") this.#literal("null");
    else if (first !== undefined && /[-0-9]/.test(first)) this.#number();
    else this.#reject("looking for beginning of value");
  }

  #object(): void {
    this.#at += 1;
    if (this.#take("}")) return;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#reject("looking for beginning of object key string");
      this.#string();
      if (!this.#take(":")) this.#reject("after object key");
      this.#value();
    } while (this.#take(","));
    if (!this.#take("}")) this.#reject("after object key:value pair");
  }

  #array(): void {
    this.#at += 1;
    if (this.#take("]")) return;
    do this.#value();
    while (this.#take(","));
    if (!this.#take("]")) this.#reject("after array element");
  }

  #string(): void {
    this.#at += 1;
    while (this.#text[this.#at] !== '"') {
      if (this.#at >= this.#text.length || (this.#text[this.#at] ?? "") < " ")
        this.#reject("in string literal");
      if (this.#text[this.#at] === "\\") this.#escape();
      else this.#at += 1;
    }
    this.#at += 1;
  }

  #escape(): void {
    this.#at += 1;
    const code = this.#text[this.#at] ?? "";
    if (!/["\\/bfnrtu]/.test(code)) this.#reject("in string escape code");
    this.#at += 1;
    for (let digits = code === "u" ? 4 : 0; digits > 0; digits -= 1, this.#at += 1) {
      if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? ""))
        this.#reject("in \\u hexadecimal character escape");
    }
  }

  #literal(word: string): void {
    for (let index = 0; index < word.length; index += 1, this.#at += 1) {
      if (this.#text[this.#at] !== word[index]) {
        this.#reject(`in literal ${word} (expecting '${word[index]}')`);
      }
    }
  }

  #number(): void {
    const match = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/.exec(this.#text.slice(this.#at));
    this.#at += match?.[0].length ?? 1;
    if (!match) this.#reject("in numeric literal");
  }

  #space(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? "")) this.#at += 1;
  }

  #take(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #reject(where: string): never {
    const character = this.#text[this.#at];
    if (character === undefined) throw new GoJsonError("unexpected end of JSON input");
    throw new GoJsonError(`invalid character ${quote(character)} ${where}`);
  }
}

function quote(character: string): string {
  if (character === "'") return `'\\''`;
  if (character === '"') return `'"'`;
  return `'${JSON.stringify(character).slice(1, -1)}'`;
}
