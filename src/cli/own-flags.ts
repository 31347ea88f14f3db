import type { Command, Option } from "commander";
import { InputError } from "../unit/quantity.ts";

/** The words behind a verb's first argument, told apart. */
export interface ToldApart {
  /** The verb's own flags with their values, as they were typed. */
  readonly own: readonly string[];
  /** What goes to the guest. */
  readonly command: readonly string[];
}

/**
 * Our long flags are ours until `--`; all behind `--` is the command's, and so are short flags and
 * long ones that are not ours once the command has begun. Refuses an unknown flag before it. Pure.
 */
export function tellApart(words: readonly string[], options: readonly Option[]): ToldApart {
  const own: string[] = [];
  const command: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--") {
      command.push(...words.slice(index + 1));
      break;
    }
    const [flag] = word.split("=", 1);
    const option = options.find(({ long }) => long === flag);
    const isOwn = option !== undefined && (option.required || word === flag);
    if (isOwn) {
      own.push(word);
      if (option.required && word === flag && index + 1 < words.length) {
        own.push(words[++index] ?? "");
      }
    } else if (command.length === 0 && word.startsWith("-")) {
      throw new InputError(`unknown option '${word}'; a command that begins so goes behind --`);
    } else {
      command.push(word);
    }
  }
  return { own, command };
}

/**
 * Takes our flags out of a command's words, as commander has left them: it stops at the verb's first
 * argument. Sets them on `command`; gives the arguments without them.
 */
export function takeOwnFlags(command: Command, argv: readonly string[]): readonly unknown[] {
  const words = command.processedArgs.at(-1) as string[] | undefined;
  const before = argv[argv.length - command.args.length - 1];
  // The verb's first argument stood behind `--` already.
  if (words === undefined || before === "--") return command.processedArgs;
  if (words[0] === "--help" || words[0] === "-h") command.help();
  const told = tellApart(words, command.options);
  command.parseOptions([...told.own]);
  return [...command.processedArgs.slice(0, -1), told.command];
}
