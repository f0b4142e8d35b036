// One file for the browser, and the licences of what is in it. Run: npm ci && npm run build
import { build } from "esbuild";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const target = "../connector_assets/studio/static";
const built = await build({
  entryPoints: ["editor.js"],
  outfile: `${target}/editor.js`,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "none",
  metafile: true,
});

const packages = new Map();
for (const input of Object.keys(built.metafile.inputs)) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input);
  if (found) packages.set(found[1], join("node_modules", found[1]));
}
const rows = [];
const texts = [];
for (const [name, folder] of [...packages].sort()) {
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  rows.push(`| ${name} | ${version} | ${license} |`);
  texts.push(`## ${name}\n\n\`\`\`text\n${readFileSync(join(folder, file), "utf8").trim()}\n\`\`\``);
}
const own = `# Licences of what is in \`editor.js\`

\`editor.js\` is the editor CodeMirror with YAML, bundled by \`studio-assets/\` of the source repository
(\`npm ci && npm run build\`). All else in this folder is part of connector-assets.

| package | version | licence |
|---|---|---|
${rows.join("\n")}

${texts.join("\n\n")}
`;
writeFileSync(`${target}/LICENSES.md`, own);
console.log(`${packages.size} packages, ${readFileSync(`${target}/editor.js`).length} bytes`);
