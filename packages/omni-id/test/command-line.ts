import { vi } from "vitest";
import { run } from "../src/cli/main.ts";

/** Runs a command line as the shell would. */
export async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const streams = { out: "", err: "" };
  const catchInto = (key: "out" | "err") => (text: string | Uint8Array) => {
    streams[key] += text;
    return true;
  };
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation(catchInto("out")),
    vi.spyOn(process.stderr, "write").mockImplementation(catchInto("err")),
  ];
  try {
    return { code: await run(args), ...streams };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
