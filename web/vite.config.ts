// The console's build: one small first chunk, every page and heavy library a lazy one.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist",
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy allows no data: scripts or styles
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // `npm run dev` beside a running server.
  server: {
    proxy: Object.fromEntries(
      ["/_fogwatch", "/health", "/TraceSummaries"].map((path) => [path, "http://127.0.0.1:4566"]),
    ),
  },
});
