// A server of the test's own: temporary data, free ports, ended by its process id.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const program = process.env.FOGWATCH_BINARY ?? "build/release/fogwatch";

// A server that knows its keys and people: `ann` may do everything, `bob` may look.
export const password = "correct horse battery";
export async function startSite(options = []) {
  const folder = mkdtempSync(join(tmpdir(), "fogwatch-keys-"));
  const file = join(folder, "keys.json");
  const reader = join(folder, "reader.json");
  writeFileSync(reader, JSON.stringify({ Statement: { Effect: "Allow", Action: ["cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "logs:Describe*", "xray:Get*", "sns:List*", "fogwatch:Get*"], Resource: "*" } }));
  const run = (...words) => {
    const done = spawnSync(program, words, { input: password + "\n", encoding: "utf8" });
    if (done.status !== 0) throw new Error(done.stderr);
  };
  run("keys", "add", "--file", file, "--name", "admin", "--account", "123456789012", "--admin");
  run("users", "add", "--file", file, "--account", "123456789012", "--admin", "ann");
  run("users", "add", "--file", file, "--account", "123456789012", "--policy", reader, "bob");
  const server = await startServer(["--profile", "site", "--keys-file", file, ...options]);
  const stop = server.stop;
  server.stop = async () => {
    await stop();
    rmSync(folder, { recursive: true, force: true });
  };
  return server;
}

export async function startServer(options = []) {
  const data = mkdtempSync(join(tmpdir(), "fogwatch-browser-"));
  const child = spawn(program, ["serve", "--listen", "127.0.0.1:0", "--xray-listen", "off", "--otlp-listen", "off", "--emf-listen", "off", "--data", data, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  let url;
  for await (const line of createInterface({ input: child.stdout })) {
    url ??= /^listening api (\S+)/.exec(line)?.[1];
    if (line === "Ready.") break;
  }
  if (!url) throw new Error("the server did not start");
  return {
    url,
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      rmSync(data, { recursive: true, force: true });
    },
  };
}
