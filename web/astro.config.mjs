import { defineConfig } from "astro/config";

// The page runs under a policy without inline scripts and styles, so that nothing may be put into the document.
export default defineConfig({
  build: { inlineStylesheets: "never" },
  devToolbar: { enabled: false },
  telemetry: false,
  vite: { build: { assetsInlineLimit: 0 } },
});
