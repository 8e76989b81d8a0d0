import { defineConfig } from "vite";

// biome-ignore lint/style/noDefaultExport: Vite reads the default export
export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    target: "es2022",
    // A font inside the style sheet would be loaded even where its letters are not needed.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 400,
  },
});
