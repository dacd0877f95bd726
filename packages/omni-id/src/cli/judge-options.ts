import { Option } from "@commander-js/extra-typings";
import { InvalidArgumentError } from "commander";
import { ARCFACE_INPUT, type JudgeFile, type JudgeInput, loadJudgeFile } from "../evaluate/judge-file.ts";
import { type Judge, type Judges, loadJudges } from "../evaluate/recognisers.ts";
import { UsageError } from "./output.ts";

export interface Named<T> {
  name: string;
  value: T;
}

/** `--judge NAME=FILE.onnx`, as often as wanted. */
export const judgeOption = () =>
  new Option("--judge <name=file.onnx>", "a further recogniser that judges, such as ArcFace R100; may be given again")
    .argParser((text: string, before: Named<string>[] | undefined) => [...(before ?? []), named(text, (file) => file)])
    .default([] as Named<string>[], "the two of the house");

/** `--judge-input NAME=RULE`, for judges whose input differs from ArcFace's. */
export const judgeInputOption = () =>
  new Option(
    "--judge-input <name=rule>",
    "its input: rgb or bgr,side,mean,scale for (x − mean) / scale of bytes (default: rgb,112,127.5,127.5, ArcFace's)",
  )
    .argParser((text: string, before: Named<JudgeInput>[] | undefined) => [...(before ?? []), named(text, inputRule)])
    .default([] as Named<JudgeInput>[], "ArcFace's");

/** The two judges of the house and those that were asked for. @throws for a name given twice, or a file that is none */
export function judgesOf(files: readonly Named<string>[], rules: readonly Named<JudgeInput>[]): Judges<Judge> {
  const names = ["independent", "backbone", ...files.map(({ name }) => name)];
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice) throw new UsageError(`--judge ${twice}=…: that name is taken; choose another`);
  const stray = rules.find(({ name }) => !files.some((file) => file.name === name));
  if (stray) throw new UsageError(`--judge-input ${stray.name}=…: there is no --judge ${stray.name}=FILE.onnx`);
  const further = files.map(({ name, value: file }): JudgeFile => {
    const rule = rules.find((one) => one.name === name);
    return { name, file, input: rule?.value ?? ARCFACE_INPUT };
  });
  return { ...loadJudges(), ...Object.fromEntries(further.map((judge) => [judge.name, loadJudgeFile(judge)])) };
}

function named<T>(text: string, parse: (value: string) => T): Named<T> {
  const [, name, value] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
  if (!name) throw new InvalidArgumentError("Write NAME=VALUE, the name of letters, digits, dots and dashes.");
  return { name, value: parse(value) };
}

function inputRule(text: string): JudgeInput {
  const [order, ...rest] = text.split(",");
  const [size, mean, scale] = rest.map(Number);
  const fits = (order === "rgb" || order === "bgr") && rest.length === 3 && Number.isFinite(mean);
  if (!fits || !Number.isInteger(size) || size < 1 || !(scale > 0) || !Number.isFinite(scale)) {
    throw new InvalidArgumentError("Write rgb or bgr, side, mean and scale, such as bgr,112,127.5,127.5.");
  }
  return { order, size, mean, scale };
}
