/** A file of the export, from the page's own address. @throws with what to do when it does not come */
export async function fetched(file: string): Promise<Uint8Array> {
  const address = new URL(`../${file}`, self.location.href);
  const response = await fetch(address).catch(() => undefined);
  if (!response?.ok) throw new Error(`${file} did not come from the page's host; load the page again`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The same of a file that lies there packed by gzip: hosts seldom pack WebAssembly themselves. */
export async function unpacked(file: string): Promise<ArrayBuffer> {
  const bytes = (await fetched(file)) as Uint8Array<ArrayBuffer>;
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
