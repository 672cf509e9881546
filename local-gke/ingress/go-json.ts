/** What Go's decoder says about a text: the texts end up in events that users read. */
export class GoJsonError extends Error {}

/**
 * Returns the value of a JSON text.
 *
 * @throws GoJsonError with the words of Go's encoding/json when it is malformed
 */
export function parseGoJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new GoJsonError(new Scanner(text).complaint());
  }
}

/** Finds the first character that Go's scanner refuses, and the state that it is in there. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  complaint(): string {
    try {
      this.#value();
      this.#space();
      if (this.#at < this.#text.length) this.#refuse("after top-level value");
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
    else this.#refuse("looking for beginning of value");
  }

  #object(): void {
    this.#at += 1;
    if (this.#take("}")) return;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#refuse("looking for beginning of object key string");
      this.#string();
      if (!this.#take(":")) this.#refuse("after object key");
      this.#value();
    } while (this.#take(","));
    if (!this.#take("}")) this.#refuse("after object key:value pair");
  }

  #array(): void {
    this.#at += 1;
    if (this.#take("]")) return;
    do this.#value();
    while (this.#take(","));
    if (!this.#take("]")) this.#refuse("after array element");
  }

  #string(): void {
    this.#at += 1;
    while (this.#text[this.#at] !== '"') {
      if (this.#at >= this.#text.length || (this.#text[this.#at] ?? "") < " ")
        this.#refuse("in string literal");
      if (this.#text[this.#at] === "\\") this.#escape();
      else this.#at += 1;
    }
    this.#at += 1;
  }

  #escape(): void {
    this.#at += 1;
    const code = this.#text[this.#at] ?? "";
    if (!/["\\/bfnrtu]/.test(code)) this.#refuse("in string escape code");
    this.#at += 1;
    for (let digits = code === "u" ? 4 : 0; digits > 0; digits -= 1, this.#at += 1) {
      if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? ""))
        this.#refuse("in \\u hexadecimal character escape");
    }
  }

  #literal(word: string): void {
    for (let index = 0; index < word.length; index += 1, this.#at += 1) {
      if (this.#text[this.#at] !== word[index]) {
        this.#refuse(`in literal ${word} (expecting '${word[index]}')`);
      }
    }
  }

  #number(): void {
    const match = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/.exec(this.#text.slice(this.#at));
    this.#at += match?.[0].length ?? 1;
    if (!match) this.#refuse("in numeric literal");
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

  #refuse(where: string): never {
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
