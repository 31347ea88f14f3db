/** An id, whole or short: copied by a double click, and so never broken. */
const ID = /^[a-z]+_[0-9a-z]+$/;

/** How far a text can be broken: between words alone, or within long ones as well. */
export type Breaks = "words" | "parts";

/** The narrowest column that holds the text, broken so far. */
export function leastWidth(text: string, breaks: Breaks): number {
  return Math.max(0, ...unitsOf(text, breaks).map(({ text }) => text.length));
}

/** The text on lines of at most so many characters, where its words and parts allow it. */
export function wrap(text: string, width: number, breaks: Breaks): string {
  const wrapLine = (line: string) => {
    const lines: string[] = [];
    let current = "";
    for (const { text: unit, spaced } of unitsOf(line, breaks)) {
      const joined = current === "" ? unit : `${current}${spaced ? " " : ""}${unit}`;
      if (joined.length <= width || current === "") current = joined;
      else {
        lines.push(current);
        current = unit;
      }
    }
    return [...lines, current].join("\n");
  };
  return text.split("\n").map(wrapLine).join("\n");
}

interface Unit {
  readonly text: string;
  /** Whether a space comes before it. */
  readonly spaced: boolean;
}

/** Words; `attic/guest` and `not-delivered` have parts, each with what it is joined by. */
function unitsOf(text: string, breaks: Breaks): Unit[] {
  const words = text.split(/\s+/).filter((word) => word !== "");
  return words.flatMap((word) => {
    const parts =
      breaks === "words" || ID.test(word) ? [word] : word.split(/(?<=[^\d\s][-/])(?=.)/);
    return parts.map((part, index) => ({ text: part, spaced: index === 0 }));
  });
}
