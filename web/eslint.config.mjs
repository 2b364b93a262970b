import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", ".astro", "packages/*/dist", "packages/chat-client/src/api-types.ts"] },
  ...tseslint.configs.strict,
  { rules: { eqeqeq: "error", "no-console": "error" } },
);
