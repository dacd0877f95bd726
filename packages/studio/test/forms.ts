import { request } from "node:http";

/** A form with files in it, as a browser sends it. */
export function form(files: Record<string, Uint8Array | string>, fields: Record<string, string> = {}): FormData {
  const made = new FormData();
  for (const [name, value] of Object.entries(fields)) made.set(name, value);
  for (const [name, content] of Object.entries(files)) made.append("photos", new Blob([content as string]), name);
  return made;
}

export interface StreamedEvent {
  event: string;
  data: Record<string, unknown>;
}

/** The events of a stream, as they come. */
export async function* readEvents(response: Response): AsyncGenerator<StreamedEvent> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const parts = text.split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/s.exec(part) ?? [];
      yield { event, data: JSON.parse(data) };
    }
  }
}

/** A request with headers that `fetch` does not let one set, and a path that is sent as it is. */
export function rawRequest(
  url: string,
  {
    method = "GET",
    path,
    headers = {},
    body,
  }: { method?: string; path?: string; headers?: object; body?: string } = {},
): Promise<{ status: number; body: string; headers: NodeJS.Dict<string | string[]> }> {
  const { hostname, port, pathname } = new URL(url);
  return new Promise((resolve, reject) => {
    const call = request({ hostname, port, path: path ?? pathname, method, headers: { ...headers } }, (response) => {
      let text = "";
      response.on("data", (part) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    });
    call.on("error", reject);
    call.end(body);
  });
}
