import { defineConfig } from "vitest/config";

/** Tests of the built page in a real browser: `npm run test:studio`. They are no part of `npm test`. */
export default defineConfig({
  test: {
    include: ["test-page/**/*.test.ts"],
    pool: "forks",
    // One at a time: both the server and the browser take what processors there are.
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
