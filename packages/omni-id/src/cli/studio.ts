/**
 * The studio stands above this package, and imports go one way: it is found by its name when the command is run, in the
 * same checkout or where it was installed.
 */
const STUDIO = "@omni-id/studio/command";

/** @throws where the package is not installed, with what to do */
export async function studioCommand(): Promise<unknown> {
  try {
    const { studioCommand: command } = (await import(STUDIO)) as { studioCommand: () => unknown };
    return command();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND" || !message.includes("@omni-id/studio")) throw error;
    throw new Error(
      message.includes("/dist/")
        ? "the studio is not built yet; run: npm run setup"
        : "the studio is a package of its own; install it with: npm install @omni-id/studio",
    );
  }
}
