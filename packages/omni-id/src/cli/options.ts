import { Option } from "@commander-js/extra-typings";
import { InvalidArgumentError } from "commander";

/** `--json`: the result for a program; notes and progress stay on stderr. */
export const jsonOption = () => new Option("--json", "print the result as JSON");

/** `--weights`: other weights than those that are shipped. */
export const weightsOption = () =>
  new Option("--weights <folder>", "folder of the weights (default: the shipped ones)");

/** `--device`: where the tensors of a command live. CUDA is chosen by this option alone, never assumed. */
export const deviceOption = () => new Option("--device <name>", "cpu or cuda").default("cpu").argParser(device);

function device(name: string): string {
  if (/^(cpu|cuda(:\d+)?)$/.test(name)) return name;
  throw new InvalidArgumentError("Choose cpu, cuda, or one of several cards, such as cuda:1.");
}

/** Parses a whole number, 0 included. */
export function whole(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError(`"${text}" is no whole number.`);
  return value;
}

/** Parses a whole number from 1 on. */
export function count(text: string): number {
  const value = whole(text);
  if (value === 0) throw new InvalidArgumentError("At least 1 is wanted.");
  return value;
}
