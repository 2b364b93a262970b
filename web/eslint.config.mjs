import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", ".astro", "src/chat/api-types.ts"] },
  ...tseslint.configs.strict,
  { rules: { eqeqeq: "error", "no-console": "error" } },
);
